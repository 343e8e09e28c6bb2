/* leaving LEFT RETURNED: so many threads that end inside a function, one after the other, and calls that return from it
 */
#include <pthread.h>
#include <stdlib.h>

__attribute__((noinline, noclone)) int leave(int ends)
{
	if (ends)
		pthread_exit(0);
	__asm__ volatile("");
	return ends;
}

static void *end_inside(void *unused)
{
	leave(1);
	return unused;
}

int main(int count, char **arg)
{
	pthread_t thread;

	if (count != 3)
		return 2;
	for (int i = atoi(arg[1]); i > 0; i--)
		if (pthread_create(&thread, 0, end_inside, 0) || pthread_join(thread, 0))
			return 1;
	for (int i = atoi(arg[2]); i > 0; i--)
		leave(0);
	return 0;
}
