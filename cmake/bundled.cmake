# The target polytrace_libraries for prebuilt addons: libbpf, libelf, zlib and zstd, compiled from their sources and
# linked in. POLYTRACE_LIBRARY_SOURCES has the folders libbpf, elfutils, zlib and libzstd. See scripts/prebuilds/.
set(sources "${POLYTRACE_LIBRARY_SOURCES}")

# where <bpf/...> is found
set(POLYTRACE_LIBBPF_INCLUDE "${CMAKE_CURRENT_BINARY_DIR}/include")
file(GLOB headers "${sources}/libbpf/src/*.h")
file(COPY ${headers} DESTINATION "${POLYTRACE_LIBBPF_INCLUDE}/bpf")

# libbpf reads /proc/config.gz. Nothing writes a compressed file.
file(GLOB zlib "${sources}/zlib/*.c")
list(FILTER zlib EXCLUDE REGEX "/gzwrite\\.c$")
add_library(zlib STATIC ${zlib})
target_include_directories(zlib SYSTEM PUBLIC "${sources}/zlib")
target_compile_definitions(zlib PRIVATE HAVE_UNISTD_H NO_GZCOMPRESS)

# Its configure script would write config.h. These definitions are all that libelf needs of it. Without zstd it cannot read
# sections that are compressed with it, and BPF objects and BTF have none.
file(GLOB elf "${sources}/elfutils/libelf/*.c")
list(APPEND elf "${sources}/elfutils/lib/eu-search.c")
set(config "${CMAKE_CURRENT_BINARY_DIR}/elfutils")
file(WRITE "${config}/config.h" [[
#define _GNU_SOURCE 1
#define PACKAGE_NAME "elfutils"
#define _(text) text
#define N_(text) text
#define HAVE_DECL_MEMPCPY 1
#define HAVE_DECL_POWEROF2 1
#define HAVE_DECL_RAWMEMCHR 0
#define HAVE_DECL_REALLOCARRAY 1
#define HAVE_DECL_MEMRCHR 1
#define HAVE_ERR_H 1
#define HAVE_VISIBILITY 1
#include <eu-config.h>
]])
add_library(elf STATIC ${elf})
target_include_directories(elf SYSTEM PUBLIC "${sources}/elfutils/libelf" PRIVATE "${config}" "${sources}/elfutils/lib")
target_compile_definitions(elf PRIVATE HAVE_CONFIG_H)
target_compile_options(elf PRIVATE -std=gnu99)
target_link_libraries(elf PUBLIC zlib)

file(GLOB bpf "${sources}/libbpf/src/*.c")
add_library(bpf STATIC ${bpf})
target_include_directories(bpf SYSTEM
  PUBLIC "${POLYTRACE_LIBBPF_INCLUDE}" "${sources}/libbpf/include/uapi"
  PRIVATE "${sources}/libbpf/src" "${sources}/libbpf/include")
target_link_libraries(bpf PUBLIC elf)

# Only what decompresses, in its smallest form: it reads a megabyte when a policy is loaded.
file(GLOB zstd "${sources}/libzstd/lib/common/*.c" "${sources}/libzstd/lib/decompress/*.c")
add_library(zstd STATIC ${zstd})
target_include_directories(zstd SYSTEM PUBLIC "${sources}/libzstd/lib")
target_compile_definitions(zstd PRIVATE
  DYNAMIC_BMI2=0 HUF_FORCE_DECOMPRESS_X1 ZSTD_DISABLE_ASM ZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT ZSTD_LEGACY_SUPPORT=0
  ZSTD_NO_INLINE ZSTD_STRIP_ERROR_STRINGS ZSTD_TRACE=0)
# its header asks for visible functions
target_compile_definitions(zstd PUBLIC ZSTDLIB_VISIBLE= ZSTDERRORLIB_VISIBLE=)

foreach(library zlib elf bpf zstd)
  set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  target_compile_options(${library} PRIVATE -w -ffunction-sections -fdata-sections)
endforeach()
# small code, except for what reads the events: the others only work while something is loaded
target_compile_options(elf PRIVATE -Os)
target_compile_options(bpf PRIVATE -Os)
target_compile_options(zstd PRIVATE -Os)
set_source_files_properties("${sources}/libbpf/src/ringbuf.c" PROPERTIES COMPILE_OPTIONS -O2)
polytrace_harden(zlib elf bpf zstd)

# fortify.c and portable.c have what musl lacks. demangle.c makes libstdc++ smaller.
add_library(polytrace_libraries INTERFACE)
foreach(file demangle fortify portable)
  target_sources(polytrace_libraries INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/native/base/${file}.c")
endforeach()
# The compiler must not make calls of the checked functions out of their own calls.
set_source_files_properties("${CMAKE_CURRENT_SOURCE_DIR}/native/base/fortify.c" PROPERTIES COMPILE_OPTIONS
  "-fno-builtin;-ffunction-sections;-Wno-missing-prototypes")
target_link_libraries(polytrace_libraries INTERFACE bpf zstd ${CMAKE_DL_LIBS} pthread)
target_link_options(polytrace_libraries INTERFACE "-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cmake/exports.map")
