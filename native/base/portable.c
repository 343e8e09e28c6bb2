/*
 * Functions that libstdc++ and libgcc need from glibc, and that musl does not export. They are only in prebuilt addons,
 * which are compiled for glibc and also run with musl.
 */
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <time.h>

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN int __pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
HIDDEN size_t __strftime_l(char *text, size_t size, const char *format, const struct tm *time, locale_t locale);

#ifdef __aarch64__
/* libgcc asks once whether the processor has the newer atomic instructions. */
HIDDEN unsigned long __getauxval(unsigned long type);

unsigned long __getauxval(unsigned long type)
{
	return getauxval(type);
}
#endif

/* libstdc++ locks only if this symbol exists: it is the sign that the process can have threads. */
int __pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	return pthread_key_create(key, destructor);
}

size_t __strftime_l(char *text, size_t size, const char *format, const struct tm *time, locale_t locale)
{
	return strftime_l(text, size, format, time, locale);
}
