# Finds what turns BPF sources into skeletons. One message for all that is missing, with the Debian packages' names.

# The newest clang-NN, as Debian names it, else plain clang. Older ones than 16 make BPF code that is not tested.
foreach(version RANGE 40 16 -1)
  find_program(POLYTRACE_CLANG "clang-${version}")
endforeach()
find_program(POLYTRACE_CLANG clang)

# Debian puts bpftool into /usr/sbin, which is not in every user's PATH
find_program(POLYTRACE_BPFTOOL bpftool PATHS /usr/sbin /usr/local/sbin)
find_program(POLYTRACE_NODE NAMES node nodejs)
find_package(PkgConfig QUIET)

set(missing "")
if(NOT POLYTRACE_CLANG)
  list(APPEND missing clang-19)
endif()
if(NOT POLYTRACE_BPFTOOL)
  list(APPEND missing bpftool)
endif()
if(NOT PKG_CONFIG_FOUND)
  list(APPEND missing pkg-config)
endif()
if(NOT POLYTRACE_NODE)
  list(APPEND missing nodejs)
endif()
if(missing)
  list(JOIN missing " " missing)
  message(FATAL_ERROR "Missing to build polytrace: ${missing} (Debian: apt-get install ${missing})")
endif()
