/* The macros of <sys/sdt.h> that the program of the oracle uses, with the types of its one probe with arguments. */
#include "native/base/sdt.h"

#define STAP_PROBE(provider, name) PROBE(#provider, #name, "0", "")
#define STAP_PROBE5(provider, name, first, second, third, fourth, fifth)                                           \
	PROBE(#provider, #name, "0", "-4@%[a] -8@%[b] 8@%[c] 1@%[d] -1@%[e]", [a] "nor"(first), [b] "nor"(second), \
	      [c] "nor"(third), [d] "nor"(fourth), [e] "nor"(fifth))
