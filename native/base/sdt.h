/*
 * Static probes in the format of SystemTap's <sys/sdt.h>: a nop, and an ELF note with its address, its names, its
 * counter and the locations of its arguments. `args` is a text with the operands, such as "-4@%[a] 8@%[b]".
 */
/* clang-format off */
#define PROBE_TEXT(provider, name, counter, args)                                        \
	"990:\tnop\n"                                                                    \
	".pushsection .note.stapsdt,\"\",\"note\"\n"                                      \
	".balign 4\n"                                                                    \
	".4byte 992f-991f, 994f-993f, 3\n"                                               \
	"991:\t.asciz \"stapsdt\"\n"                                                     \
	"992:\t.balign 4\n"                                                              \
	"993:\t.8byte 990b\n"                                                            \
	".8byte _.stapsdt.base\n"                                                        \
	".8byte " counter "\n"                                                           \
	".asciz \"" provider "\"\n"                                                      \
	".asciz \"" name "\"\n"                                                          \
	".asciz \"" args "\"\n"                                                          \
	"994:\t.balign 4\n"                                                              \
	".popsection\n"                                                                  \
	".ifndef _.stapsdt.base\n"                                                       \
	".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"          \
	".weak _.stapsdt.base\n"                                                         \
	".hidden _.stapsdt.base\n"                                                       \
	"_.stapsdt.base:\t.space 1\n"                                                    \
	".size _.stapsdt.base, 1\n"                                                      \
	".popsection\n"                                                                  \
	".endif\n"
/* clang-format on */

#define PROBE(provider, name, counter, args, ...) \
	__asm__ volatile(PROBE_TEXT(provider, name, counter, args)::__VA_ARGS__)
/* A probe that may change its only argument, which is in a register. */
#define PROBE_REGISTER(provider, name, args, variable) \
	__asm__ volatile(PROBE_TEXT(provider, name, "0", args) : [variable] "+r"(variable))
