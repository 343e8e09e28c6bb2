/*
 * The functions that _FORTIFY_SOURCE calls, for prebuilt addons: glibc has them, and musl does not. Each compares a
 * size with the size of its buffer, ends the process if the buffer is too small, and else calls the function itself.
 */
#undef _FORTIFY_SOURCE
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* scripts/prebuilds/hardening.mjs looks for this text. */
static const char MESSAGE[] = "*** buffer overflow detected ***: polytrace\n";

static void check(size_t needed, size_t size)
{
	if (needed <= size)
		return;
	if (write(STDERR_FILENO, MESSAGE, sizeof(MESSAGE) - 1) < 0)
		abort();
	abort();
}

HIDDEN void *__memcpy_chk(void *to, const void *from, size_t count, size_t size)
{
	check(count, size);
	return memcpy(to, from, count);
}

HIDDEN void *__memmove_chk(void *to, const void *from, size_t count, size_t size)
{
	check(count, size);
	return memmove(to, from, count);
}

HIDDEN void *__mempcpy_chk(void *to, const void *from, size_t count, size_t size)
{
	check(count, size);
	return mempcpy(to, from, count);
}

HIDDEN void *__memset_chk(void *to, int byte, size_t count, size_t size)
{
	check(count, size);
	return memset(to, byte, count);
}

HIDDEN char *__strcpy_chk(char *to, const char *from, size_t size)
{
	check(strlen(from) + 1, size);
	return strcpy(to, from);
}

HIDDEN char *__stpcpy_chk(char *to, const char *from, size_t size)
{
	check(strlen(from) + 1, size);
	return stpcpy(to, from);
}

HIDDEN char *__strcat_chk(char *to, const char *from, size_t size)
{
	check(strlen(to) + strlen(from) + 1, size);
	return strcat(to, from);
}

HIDDEN char *__strncpy_chk(char *to, const char *from, size_t count, size_t size)
{
	check(count, size);
	return strncpy(to, from, count);
}

HIDDEN char *__strncat_chk(char *to, const char *from, size_t count, size_t size)
{
	check(strlen(to) + strnlen(from, count) + 1, size);
	return strncat(to, from, count);
}

HIDDEN int __vsnprintf_chk(char *to, size_t count, int flag, size_t size, const char *format, va_list values)
{
	(void)flag;
	check(count, size);
	return vsnprintf(to, count, format, values);
}

HIDDEN int __snprintf_chk(char *to, size_t count, int flag, size_t size, const char *format, ...)
{
	va_list values;
	int length;

	(void)flag;
	check(count, size);
	va_start(values, format);
	length = vsnprintf(to, count, format, values);
	va_end(values);
	return length;
}

/* A size that is not known is SIZE_MAX, which vsnprintf() refuses. */
static int print(char *to, size_t size, const char *format, va_list values)
{
	int length = size == (size_t)-1 ? vsprintf(to, format, values) : vsnprintf(to, size, format, values);

	if (length >= 0)
		check((size_t)length + 1, size);
	return length;
}

HIDDEN int __vsprintf_chk(char *to, int flag, size_t size, const char *format, va_list values)
{
	(void)flag;
	return print(to, size, format, values);
}

HIDDEN int __sprintf_chk(char *to, int flag, size_t size, const char *format, ...)
{
	va_list values;
	int length;

	(void)flag;
	va_start(values, format);
	length = print(to, size, format, values);
	va_end(values);
	return length;
}

HIDDEN int __vfprintf_chk(FILE *stream, int flag, const char *format, va_list values)
{
	(void)flag;
	return vfprintf(stream, format, values);
}

HIDDEN int __fprintf_chk(FILE *stream, int flag, const char *format, ...)
{
	va_list values;
	int length;

	(void)flag;
	va_start(values, format);
	length = vfprintf(stream, format, values);
	va_end(values);
	return length;
}

HIDDEN int __vasprintf_chk(char **text, int flag, const char *format, va_list values)
{
	(void)flag;
	return vasprintf(text, format, values);
}

HIDDEN int __asprintf_chk(char **text, int flag, const char *format, ...)
{
	va_list values;
	int length;

	(void)flag;
	va_start(values, format);
	length = vasprintf(text, format, values);
	va_end(values);
	return length;
}

HIDDEN ssize_t __read_chk(int fd, void *to, size_t count, size_t size)
{
	check(count, size);
	return read(fd, to, count);
}

HIDDEN ssize_t __pread64_chk(int fd, void *to, size_t count, off64_t offset, size_t size)
{
	check(count, size);
	return pread64(fd, to, count, offset);
}

HIDDEN ssize_t __readlink_chk(const char *path, char *to, size_t count, size_t size)
{
	check(count, size);
	return readlink(path, to, count);
}

HIDDEN ssize_t __readlinkat_chk(int folder, const char *path, char *to, size_t count, size_t size)
{
	check(count, size);
	return readlinkat(folder, path, to, count);
}
