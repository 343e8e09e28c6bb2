// Checks BTF from a file, which may be damaged or made to do harm.
#pragma once

struct btf;

namespace polytrace {

// Returns whether types end: no typedef, array, struct or union contains itself other than behind a pointer, they are nested at
// most 64 deep, and no struct has more than 100,000 members. Unnamed members count, and so does what is in them.
bool has_bounded_depth(const btf* types);

}  // namespace polytrace
