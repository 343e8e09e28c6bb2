/* The smallest program: static, without a C library, so that an exec is only the work of the kernel. */
void _start(void)
{
#if defined(__x86_64__)
	asm volatile("syscall" : : "a"(60), "D"(0) : "rcx", "r11", "memory");
#else
#error "the benchmark's virtual machine is x86-64"
#endif
	__builtin_unreachable();
}
