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
set(POLYTRACE_STRIP_LINES "")
if(POLYTRACE_LIBRARY_SOURCES)
  set(POLYTRACE_STRIP_LINES "${CMAKE_CURRENT_SOURCE_DIR}/scripts/prebuilds/strip-line-info.mjs")
endif()
# With one thread, zstd writes the same bytes on every machine. It writes the size and a checksum, too.
set(POLYTRACE_COMPRESS ${POLYTRACE_ZSTD} -q --single-thread --ultra -22 -f)

set(POLYTRACE_OBJECT_FOLDER "${CMAKE_CURRENT_BINARY_DIR}/objects")
file(MAKE_DIRECTORY "${POLYTRACE_OBJECT_FOLDER}")

# Sets `variable` to the object whose bytes the compressed object refers to, which makes it a third of the size; empty for an
# object that refers to none. The programs of hooks are nearly the same in every source. An older flavour of them is nearly
# the same as the newer one.
function(polytrace_base_object variable source flavour)
  set(base "")
  if(flavour STREQUAL old)
    set(base ${source}_probe)
  elseif(source MATCHES "^(process|marks|fentry)$")
    if(flavour STREQUAL probe)
      set(base ${source}_direct)
    endif()
  elseif(NOT source MATCHES "^enforcer_")
    set(base fentry_${flavour})
  endif()
  set(${variable} "${base}" PARENT_SCOPE)
endfunction()

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
        OUTPUT "${POLYTRACE_OBJECT_FOLDER}/${name}.bpf.o"
        COMMAND ${POLYTRACE_CLANG} ${POLYTRACE_BPF_FLAGS} ${define} -c ${input} -o ${name}.tmp.o
        COMMAND ${POLYTRACE_BPFTOOL} gen object ${name}.bpf.o ${name}.tmp.o
        COMMAND ${strip} ${name}.bpf.o
        DEPENDS ${input} ${headers} ${POLYTRACE_STRIP_LINES}
        WORKING_DIRECTORY "${POLYTRACE_OBJECT_FOLDER}"
        COMMENT "BPF ${name}"
        VERBATIM)
      polytrace_base_object(base ${source} ${flavour})
      set(options "")
      set(needed "${POLYTRACE_OBJECT_FOLDER}/${name}.bpf.o")
      if(base)
        set(options --patch-from=${base}.bpf.o)
        list(APPEND needed "${POLYTRACE_OBJECT_FOLDER}/${base}.bpf.o")
      endif()
      add_custom_command(
        OUTPUT "${POLYTRACE_OBJECT_FOLDER}/${name}.bpf.o.zst"
        COMMAND ${POLYTRACE_COMPRESS} ${options} ${name}.bpf.o -o ${name}.bpf.o.zst
        DEPENDS ${needed}
        WORKING_DIRECTORY "${POLYTRACE_OBJECT_FOLDER}"
        COMMENT "BPF ${name}: compress"
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
    set(file "${POLYTRACE_OBJECT_FOLDER}/${name}.bpf.o.zst")
    string(REGEX MATCH "^(.*)_([a-z]+)$" parts ${name})
    polytrace_base_object(base ${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
    string(APPEND data "      \"object_${name}: .incbin \\\"${file}\\\"\\nobject_${name}_end: .byte 0\\n\"\n")
    string(APPEND symbols "extern HIDDEN const uint8_t object_${name}[], object_${name}_end[];\n")
    string(APPEND rows "    {\"${name}\", \"${base}\", object_${name}, object_${name}_end},\n")
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
