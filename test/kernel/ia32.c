/* 32-bit system calls from a 64-bit program: int 0x80, with the parameters in bx, cx, dx, si, di and bp. */
#include <sys/syscall.h>
#include <unistd.h>

enum { IA32_DUP = 41, IA32_SPLICE = 313 };

static long ia32_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long sixth __asm__("r12") = f;
	long result;

	__asm__ volatile("pushq %%rbp\n\tmovq %%r12, %%rbp\n\tint $0x80\n\tpopq %%rbp"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "r"(sixth)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	return result;
}

int main(void)
{
	syscall(SYS_dup, 998);
	syscall(SYS_socket, -1, 0, 0); /* has the same number as the 32-bit dup */
	ia32_call(IA32_DUP, 999, 0, 0, 0, 0, 0);
	ia32_call(IA32_SPLICE, 991, 992, 993, 994, 995, 996);
	return 0;
}
