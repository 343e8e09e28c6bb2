/* Makes nested calls that are traced. Then it waits, so that tests can inspect it. */
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((noinline)) int innermost(int value)
{
	asm volatile("" : "+r"(value));
	syscall(SYS_getpgid, 0);
	return value + 1;
}

__attribute__((noinline)) int middle(int value)
{
	return innermost(value) + 1;
}

int main(void)
{
	char line;
	int result = middle(1);

	if (write(1, ".", 1) != 1 || read(0, &line, 1) < 0)
		return 2;
	return result != 3;
}
