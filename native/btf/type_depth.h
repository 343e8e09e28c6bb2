// Checks BTF from a file, which may be damaged or malicious.
#pragma once

struct btf;

namespace polytrace {

// Returns whether all types are finite. No typedef, array, struct or union contains itself other than behind a pointer,
// types are nested at most 64 deep, and no struct has more than 100,000 members. Unnamed members and their own members
// count.
bool has_bounded_depth(const btf* types);

}  // namespace polytrace
