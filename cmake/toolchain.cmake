# The compiler of prebuilt addons: clang, with the C and C++ libraries of an old Debian (POLYTRACE_SYSROOT), for the
# architecture POLYTRACE_TRIPLE. scripts/prebuilds/ sets these variables in the environment.
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "$ENV{POLYTRACE_TRIPLE}")
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSROOT "$ENV{POLYTRACE_SYSROOT}")
foreach(language C CXX)
  set(CMAKE_${language}_COMPILER_TARGET "$ENV{POLYTRACE_TRIPLE}")
endforeach()
set(CMAKE_C_COMPILER "$ENV{POLYTRACE_CLANG}")
string(REPLACE "clang" "clang++" CMAKE_CXX_COMPILER "$ENV{POLYTRACE_CLANG}")
set(CMAKE_C_LIBRARY_ARCHITECTURE "$ENV{POLYTRACE_TRIPLE}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

# -O3 makes the addon larger, and no faster: the kernel does the work.
foreach(language C CXX)
  set(CMAKE_${language}_FLAGS_RELEASE_INIT "-O2 -DNDEBUG")
endforeach()
set(CMAKE_CXX_FLAGS_INIT "-ffunction-sections -fdata-sections")
# ld-linux is not named as a needed library, because musl's loader has another one. It is there before any library.
set(CMAKE_SHARED_LINKER_FLAGS_INIT
  "-fuse-ld=lld -Wl,--icf=safe -static-libstdc++ -static-libgcc -Wl,--gc-sections,--exclude-libs,ALL,-Bsymbolic,-s")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
