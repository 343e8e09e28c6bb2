# polytrace_bpf_objects(TARGET SOURCES NAME... FLAVOURS FLAVOUR...)
# Compiles bpf/NAME.bpf.c once for each flavour, and compresses the objects. A call adds to the objects of earlier calls.
# polytrace_embed_objects(TARGET)
# Adds a source to the target, with all of these objects: native/loading/embedded_objects.h.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  set(POLYTRACE_BPF_ARCH x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(POLYTRACE_BPF_ARCH arm64)
else()
  message(FATAL_ERROR "polytrace has no BPF programs for ${CMAKE_SYSTEM_PROCESSOR}: x86_64 and arm64 only.")
endif()

set(POLYTRACE_BPF_FLAGS
  -target bpf -O2 -g -mcpu=v3 -D__TARGET_ARCH_${POLYTRACE_BPF_ARCH} -Wall -Wextra -Werror
  ${POLYTRACE_PREFIX_MAPS} -isystem ${POLYTRACE_LIBBPF_INCLUDE})
# <bpf/usdt.bpf.h> includes <linux/errno.h>: where Debian has the other half of that
if(CMAKE_C_LIBRARY_ARCHITECTURE)
  list(APPEND POLYTRACE_BPF_FLAGS -idirafter ${CMAKE_SYSROOT}/usr/include/${CMAKE_C_LIBRARY_ARCHITECTURE})
endif()

# Prebuilt addons do without source lines, so that the package is smaller.
# pigz needs a minute for what gzip does in a second, and finds a tenth more. Both write the same bytes on every machine
# (-n: no time).
set(POLYTRACE_STRIP_LINES "")
set(POLYTRACE_COMPRESS ${POLYTRACE_GZIP} -9 -n -f -k)
if(POLYTRACE_LIBRARY_SOURCES)
  find_program(POLYTRACE_PIGZ pigz REQUIRED)
  set(POLYTRACE_COMPRESS ${POLYTRACE_PIGZ} -11 -p 1 -n -f -k)
  set(POLYTRACE_STRIP_LINES "${CMAKE_CURRENT_SOURCE_DIR}/scripts/prebuilds/strip-line-info.mjs")
endif()

set(POLYTRACE_OBJECT_FOLDER "${CMAKE_CURRENT_BINARY_DIR}/objects")
file(MAKE_DIRECTORY "${POLYTRACE_OBJECT_FOLDER}")

function(polytrace_bpf_objects)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SOURCES;FLAVOURS")
  file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/bpf/*.h")
  set(strip true)
  if(POLYTRACE_STRIP_LINES)
    set(strip ${POLYTRACE_NODE} ${POLYTRACE_STRIP_LINES})
  endif()
  foreach(source IN LISTS arg_SOURCES)
    foreach(flavour IN LISTS arg_FLAVOURS)
      set(name "${source}_${flavour}")
      set(define "")
      if(flavour STREQUAL probe)
        set(define -DREAD_PROBE)
      elseif(flavour STREQUAL old)
        set(define -DREAD_PROBE -DOLD_KERNEL)
      endif()
      set(input "${CMAKE_CURRENT_SOURCE_DIR}/bpf/${source}.bpf.c")
      # One step: `gen object` also strips what is not BTF.
      add_custom_command(
        OUTPUT "${POLYTRACE_OBJECT_FOLDER}/${name}.bpf.o.gz"
        COMMAND ${POLYTRACE_CLANG} ${POLYTRACE_BPF_FLAGS} ${define} -c ${input} -o ${name}.tmp.o
        COMMAND ${POLYTRACE_BPFTOOL} gen object ${name}.bpf.o ${name}.tmp.o
        COMMAND ${strip} ${name}.bpf.o
        COMMAND ${POLYTRACE_COMPRESS} ${name}.bpf.o
        DEPENDS ${input} ${headers} ${POLYTRACE_STRIP_LINES}
        WORKING_DIRECTORY "${POLYTRACE_OBJECT_FOLDER}"
        COMMENT "BPF ${name}"
        VERBATIM)
      set_property(DIRECTORY APPEND PROPERTY POLYTRACE_OBJECTS ${name})
    endforeach()
  endforeach()
endfunction()

function(polytrace_embed_objects target)
  get_property(names DIRECTORY PROPERTY POLYTRACE_OBJECTS)
  set(data "")
  set(symbols "")
  set(rows "")
  set(files "")
  foreach(name IN LISTS names)
    set(file "${POLYTRACE_OBJECT_FOLDER}/${name}.bpf.o.gz")
    string(APPEND data "      \"object_${name}: .incbin \\\"${file}\\\"\\nobject_${name}_end: .byte 0\\n\"\n")
    string(APPEND symbols "extern HIDDEN const uint8_t object_${name}[], object_${name}_end[];\n")
    string(APPEND rows "    {\"${name}\", object_${name}, object_${name}_end},\n")
    list(APPEND files "${file}")
  endforeach()
  set(source "${POLYTRACE_OBJECT_FOLDER}/object_table.cc")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT [[
// Written by cmake/bpf.cmake.
#include "loading/embedded_objects.h"

#define HIDDEN __attribute__((visibility("hidden")))

extern "C" {
asm(".pushsection .rodata.objects,\"a\"\n"
@data@      ".popsection\n");
@symbols@}

namespace polytrace {

const EmbeddedObject EMBEDDED_OBJECTS[] = {
@rows@    {}};

}  // namespace polytrace
]])
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${files}")
  target_sources(${target} PRIVATE "${source}")
endfunction()
