/*
 * Many threads on one CPU that call hooked functions while they take the CPU from each other, so that the kernel
 * suspends them in the middle of a BPF program. Paths are deep, and strings long, so that programs take long.
 *
 *   preemption read FOLDER DEPTH THREADS ROUNDS   reads FOLDER/d/d/…/secret and …/plain
 *   preemption ring FOLDER DEPTH THREADS ROUNDS   reads them through io_uring, in batches
 *   preemption call THREADS ROUNDS                calls probed() with a string of each thread's own letter
 *
 * Prints the number of successful and refused reads of each file, or the number of calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 128, WAKERS = 4, STRING_BYTES = 3000, BATCH = 8, NOBODY = 65534 };
enum { SECRET = 0, PLAIN = 1 };

static int files[2];
static int rounds;
static volatile int is_done;
static long succeeded[2], refused[2], calls;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void rest(long nanoseconds)
{
	struct timespec time = { .tv_sec = 0, .tv_nsec = nanoseconds };

	nanosleep(&time, 0);
}

/* A thread that wakes is preferred to one that runs: it takes the CPU from the readers. */
static void *wake_often(void *unused)
{
	while (!is_done)
		rest(20000);
	return unused;
}

static void *read_often(void *argument)
{
	long number = (long)argument;
	int file = number % 2 == 0 ? SECRET : PLAIN;
	char byte;

	for (int i = 0; i < rounds; i++) {
		int is_read = pread(files[file], &byte, 1, 0) == 1;

		__sync_fetch_and_add(is_read ? &succeeded[file] : &refused[file], 1);
		if (i % 4 == number % 4)
			rest(50000);
	}
	return 0;
}

static void *map_ring(int ring, size_t size, off_t offset)
{
	void *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

/*
 * Every second batch runs on worker threads of the kernel, which read at the same time. IORING_FEAT_SINGLE_MMAP exists
 * since Linux 5.4.
 */
static void *read_in_batches(void *argument)
{
	long number = (long)argument;
	int file = number % 2 == 0 ? SECRET : PLAIN;
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, BATCH, &params);
	struct io_uring_sqe *entries;
	struct io_uring_cqe *results;
	unsigned *head, *tail, *array;
	char *memory, bytes[BATCH];

	if (ring < 0)
		fail("io_uring_setup");
	memory = map_ring(ring, params.cq_off.cqes + params.cq_entries * sizeof(*results) + 4096, IORING_OFF_SQ_RING);
	entries = map_ring(ring, BATCH * sizeof(*entries), IORING_OFF_SQES);
	results = (struct io_uring_cqe *)(memory + params.cq_off.cqes);
	head = (unsigned *)(memory + params.cq_off.head);
	tail = (unsigned *)(memory + params.sq_off.tail);
	array = (unsigned *)(memory + params.sq_off.array);
	for (int i = 0; i < rounds; i++) {
		memset(entries, 0, BATCH * sizeof(*entries));
		for (unsigned k = 0; k < BATCH; k++) {
			entries[k].opcode = IORING_OP_READ;
			entries[k].flags = i % 2 == 0 ? 0 : IOSQE_ASYNC;
			entries[k].fd = files[file];
			entries[k].addr = (unsigned long)&bytes[k];
			entries[k].len = 1;
			array[(*tail + k) % BATCH] = k;
		}
		__atomic_store_n(tail, *tail + BATCH, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, ring, BATCH, BATCH, IORING_ENTER_GETEVENTS, 0, 0) != BATCH)
			fail("io_uring_enter");
		for (unsigned k = 0; k < BATCH; k++) {
			int is_read = results[(*head + k) % params.cq_entries].res == 1;

			__sync_fetch_and_add(is_read ? &succeeded[file] : &refused[file], 1);
		}
		__atomic_store_n(head, *head + BATCH, __ATOMIC_RELEASE);
		if (i % 4 == number % 4)
			rest(50000);
	}
	return 0;
}

__attribute__((noinline, visibility("default"))) void probed(const char *string)
{
	asm volatile("" : : "r"(string) : "memory");
}

static void *call_often(void *argument)
{
	long number = (long)argument;
	char *string = calloc(1, STRING_BYTES + 1);

	memset(string, (int)('a' + number % 26), STRING_BYTES);
	for (int i = 0; i < rounds; i++) {
		probed(string);
		__sync_fetch_and_add(&calls, 1);
		if (i % 4 == number % 4)
			rest(50000);
	}
	return 0;
}

static void run_threads(int count, void *(*body)(void *))
{
	pthread_t threads[THREADS_MAX], wakers[WAKERS];

	for (long i = 0; i < WAKERS; i++)
		if (pthread_create(&wakers[i], 0, wake_often, 0))
			fail("pthread_create");
	for (long i = 0; i < count; i++)
		if (pthread_create(&threads[i], 0, body, (void *)i))
			fail("pthread_create");
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], 0);
	is_done = 1;
	for (int i = 0; i < WAKERS; i++)
		pthread_join(wakers[i], 0);
}

static int create(const char *name)
{
	int file = open(name, O_CREAT | O_RDWR, 0666);

	if (file < 0 || pwrite(file, "x", 1, 0) != 1)
		fail(name);
	return file;
}

/* The folder of an earlier test is used again: to remove a deep one takes a guest half a minute. */
static void enter(const char *folder)
{
	if ((mkdir(folder, 0777) && errno != EEXIST) || chdir(folder))
		fail(folder);
}

static void open_files(const char *folder, int depth)
{
	enter(folder);
	for (int i = 0; i < depth; i++)
		enter("d");
	files[SECRET] = create("secret");
	files[PLAIN] = create("plain");
}

/* The attacker needs no privileges. */
static void drop_privileges(void)
{
	if (setgid(NOBODY) || setuid(NOBODY))
		fail("setuid");
}

int main(int count, char **words)
{
	int is_ring = count == 6 && strcmp(words[1], "ring") == 0;
	int is_read = is_ring || (count == 6 && strcmp(words[1], "read") == 0);
	cpu_set_t first;
	int threads;

	if (!is_read && (count != 4 || strcmp(words[1], "call") != 0))
		return 2;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		fail("sched_setaffinity");
	rounds = atoi(words[count - 1]);
	threads = atoi(words[count - 2]);
	if (threads > THREADS_MAX)
		return 2;
	if (is_read)
		open_files(words[2], atoi(words[3]));
	drop_privileges();
	run_threads(threads, is_ring ? read_in_batches : is_read ? read_often : call_often);
	if (is_read)
		printf("%ld %ld %ld %ld\n", succeeded[SECRET], refused[SECRET], succeeded[PLAIN], refused[PLAIN]);
	else
		printf("%ld\n", calls);
	return 0;
}
