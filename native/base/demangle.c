/*
 * Takes the place of libstdc++'s reader of C++ names, which makes prebuilt addons larger. It only serves the message of
 * an exception that nobody catches: there, the name of the type stays as the compiler wrote it.
 */
#include <stddef.h>

__attribute__((visibility("hidden"))) char *__cxa_demangle(const char *name, char *text, size_t *size, int *status);

char *__cxa_demangle(const char *name, char *text, size_t *size, int *status)
{
	(void)name;
	(void)text;
	(void)size;
	*status = -2;
	return NULL;
}
