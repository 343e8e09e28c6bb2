/* The static probes that published policies name. */
#include <stdint.h>
#include "../../native/base/sdt.h"

int main(void)
{
	int32_t a = 1, b = 2, c = 3;
	int64_t d = 4;

	PROBE("test", "usdt3", "0", "-4@%[a] -8@%[d]", [a] "m"(a), [d] "m"(d));
	PROBE("tetragon", "test_4B", "0", "-4@%[a] -4@%[b] -4@%[c]", [a] "m"(a), [b] "m"(b), [c] "m"(c));
	return 0;
}
