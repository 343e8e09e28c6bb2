/*
 * Makes calls that a policy reports: load RATE SECONDS. It calls lseek with a descriptor that does not exist, RATE times a
 * second, and prints how many calls it has made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double rate = argc > 1 ? atof(argv[1]) : 0;
	long total = argc > 2 ? rate * atof(argv[2]) : 0;
	double start = seconds();
	struct timespec pause = { .tv_nsec = 1000000 };

	for (long done = 0; done < total; nanosleep(&pause, NULL)) {
		long due = (seconds() - start) * rate;

		for (; done < due && done < total; done++)
			lseek(424242, 0, SEEK_CUR);
	}
	printf("%ld\n", total);
	return 0;
}
