// Runs expressions in the kernel: reads cases from stdin and writes the results to stdout. A case is the number of the
// function's instructions, the number of runs, the instructions, and for each run nine values and the candidates. The
// result is the number of instructions that the verifier processed, and the remaining candidates of each run.
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { VALUES = 9, GIVEN = VALUES + 1, INSTRUCTIONS_MAX = 4096 };

#define INSN(op, dst, src, offset, number) \
	((struct bpf_insn){ .code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (number) })

static struct bpf_insn program[INSTRUCTIONS_MAX];
static char log_text[1 << 20];

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* Copies the values from the context to the stack and calls the function. The last number of the context shifts the
 * result. */
static int write_caller(void)
{
	struct bpf_insn *at = program;

	*at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0);
	for (int i = 0; i < VALUES; i++) {
		*at++ = INSN(BPF_LDX | BPF_MEM | BPF_DW, 1, 6, (int16_t)(8 * i), 0);
		*at++ = INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 1, (int16_t)(8 * (i - VALUES)), 0);
	}
	*at++ = INSN(BPF_LDX | BPF_MEM | BPF_DW, 2, 6, 8 * VALUES, 0);
	*at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 10, 0, 0);
	*at++ = INSN(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, -8 * VALUES);
	*at++ = INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 3);
	*at++ = INSN(BPF_LDX | BPF_MEM | BPF_DW, 1, 6, 8 * GIVEN, 0);
	*at++ = INSN(BPF_ALU64 | BPF_RSH | BPF_X, 0, 1, 0, 0);
	*at++ = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return (int)(at - program);
}

static int load(uint32_t count)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
		.insns = (uint64_t)(uintptr_t)program,
		.insn_cnt = count,
		.license = (uint64_t)(uintptr_t)"GPL",
	};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	if (fd >= 0)
		return fd;
	attr.log_level = 1;
	attr.log_buf = (uint64_t)(uintptr_t)log_text;
	attr.log_size = sizeof(log_text);
	bpf(BPF_PROG_LOAD, &attr);
	fprintf(stderr, "the kernel refused it: %s\n%s\n", strerror(errno), log_text);
	exit(1);
}

static uint64_t read_verified_insns(int fd)
{
	struct bpf_prog_info info = {};
	union bpf_attr attr = {
		.info = { .bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = (uint64_t)(uintptr_t)&info }
	};

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr)) {
		perror("BPF_OBJ_GET_INFO_BY_FD");
		exit(1);
	}
	return info.verified_insns;
}

/* Runs the program once; a run returns 32 bits. */
static uint64_t run(int fd, uint64_t *given, uint64_t shift)
{
	union bpf_attr attr = { .test = { .prog_fd = (uint32_t)fd,
					  .ctx_in = (uint64_t)(uintptr_t)given,
					  .ctx_size_in = (GIVEN + 1) * sizeof(*given) } };

	given[GIVEN] = shift;
	if (bpf(BPF_PROG_TEST_RUN, &attr)) {
		perror("BPF_PROG_TEST_RUN");
		exit(1);
	}
	return attr.test.retval;
}

int main(void)
{
	int before = write_caller();
	uint32_t counts[2];

	while (fread(counts, sizeof(counts), 1, stdin) == 1) {
		if (counts[0] > (uint32_t)(INSTRUCTIONS_MAX - before) ||
		    fread(program + before, sizeof(*program), counts[0], stdin) != counts[0])
			return 2;
		int fd = load((uint32_t)before + counts[0]);
		uint64_t answer = read_verified_insns(fd);

		fwrite(&answer, sizeof(answer), 1, stdout);
		for (uint32_t i = 0; i < counts[1]; i++) {
			uint64_t given[GIVEN + 1];

			if (fread(given, sizeof(*given), GIVEN, stdin) != GIVEN)
				return 2;
			answer = run(fd, given, 0) | run(fd, given, 32) << 32;
			fwrite(&answer, sizeof(answer), 1, stdout);
		}
		close(fd);
	}
	return 0;
}
