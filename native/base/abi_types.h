// The structs of bpf/abi.h for C++. The short type names of that file are undefined again at the end.
#pragma once

#include <cstddef>
#include <cstdint>

#define _Static_assert static_assert
#include "../bpf/abi.h"
#undef _Static_assert
#undef u8
#undef u16
#undef u32
#undef u64
#undef s32
#undef s64
