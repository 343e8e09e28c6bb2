# Finds what turns BPF sources into compressed objects. It adds to two lists, which requirements.cmake reports: Debian
# packages that are missing, and sentences about what is too old.
set(POLYTRACE_MISSING "")
set(POLYTRACE_TOO_OLD "")

# What clang 14 makes of the programs is rejected by kernel 6.1: it folds `start < 64 || start > 4160` into one comparison of
# a difference, which tells the verifier nothing about `start`. Debian 12 and Ubuntu 22.04 have it, beside newer ones.
set(POLYTRACE_CLANG_MIN 16)

macro(polytrace_forget_old_clang)
  if(POLYTRACE_CLANG)
    execute_process(COMMAND "${POLYTRACE_CLANG}" -dumpversion OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(version VERSION_LESS POLYTRACE_CLANG_MIN)
      message(STATUS "${POLYTRACE_CLANG} is clang ${version}, too old")
      unset(POLYTRACE_CLANG CACHE)
    endif()
  endif()
endmacro()

polytrace_forget_old_clang() # which an earlier configuration may have chosen
# the newest clang-NN, as Debian names it, else plain clang
foreach(version RANGE 40 ${POLYTRACE_CLANG_MIN} -1)
  find_program(POLYTRACE_CLANG "clang-${version}")
endforeach()
find_program(POLYTRACE_CLANG clang)
polytrace_forget_old_clang()

# Debian puts bpftool into /usr/sbin, which is not in every user's PATH
find_program(POLYTRACE_BPFTOOL bpftool PATHS /usr/sbin /usr/local/sbin)
find_program(POLYTRACE_ZSTD zstd)
find_program(POLYTRACE_NODE NAMES node nodejs)
find_package(PkgConfig QUIET)

foreach(variable_package "POLYTRACE_CLANG:clang-19" "POLYTRACE_BPFTOOL:bpftool" "POLYTRACE_ZSTD:zstd"
    "PKG_CONFIG_FOUND:pkg-config" "POLYTRACE_NODE:nodejs")
  string(REPLACE ":" ";" variable_package "${variable_package}")
  list(GET variable_package 0 variable)
  list(GET variable_package 1 package)
  if(NOT ${variable})
    list(APPEND POLYTRACE_MISSING ${package})
  endif()
endforeach()

# <span>, designated initializers and contains() of C++20
foreach(id_version "GNU;11" "Clang;14")
  list(GET id_version 0 id)
  list(GET id_version 1 version)
  if(CMAKE_CXX_COMPILER_ID STREQUAL id AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS version)
    list(APPEND POLYTRACE_TOO_OLD
      "${CMAKE_CXX_COMPILER} is ${id} ${CMAKE_CXX_COMPILER_VERSION}, too old: ${version} or later is needed.")
  endif()
endforeach()
