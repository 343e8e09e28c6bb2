/* mappings COUNT: has at least COUNT mappings, then calls `probed` for each line of its input. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

__attribute__((noinline, visibility("default"))) void probed(void)
{
	asm volatile("");
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 0;
	char line[16];

	for (long i = 0; i < count; i++) {
		/* neighbours with different permissions are not merged */
		int protection = i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;

		if (mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			return 1;
	}
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		probed();
	return 0;
}
