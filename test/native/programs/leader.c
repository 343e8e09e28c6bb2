/* A process whose first thread ends while another one continues. */
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *wait_for_input(void *unused)
{
	char byte;

	/* the leader is a zombie then */
	usleep(100000);
	printf("%d\n", getpid());
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	_exit(0);
	return unused;
}

int main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, 0, wait_for_input, 0))
		return 1;
	syscall(SYS_exit, 0);
}
