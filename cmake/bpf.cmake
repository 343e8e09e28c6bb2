# polytrace_bpf_skeletons(TARGET SOURCES NAME... FLAVOURS FLAVOUR...)
# Compiles bpf/NAME.bpf.c once for each flavour and makes NAME_FLAVOUR.skel.h of it. TARGET carries the include path
# and the dependency.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  set(POLYTRACE_BPF_ARCH x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(POLYTRACE_BPF_ARCH arm64)
else()
  message(FATAL_ERROR "polytrace has no BPF programs for ${CMAKE_SYSTEM_PROCESSOR}: x86_64 and arm64 only.")
endif()

set(POLYTRACE_BPF_FLAGS
  -target bpf -O2 -g -mcpu=v3 -D__TARGET_ARCH_${POLYTRACE_BPF_ARCH} -Wall -Wextra -Werror
  -isystem ${POLYTRACE_LIBBPF_INCLUDE})
# <bpf/usdt.bpf.h> includes <linux/errno.h>: where Debian has the other half of that
if(CMAKE_C_LIBRARY_ARCHITECTURE)
  list(APPEND POLYTRACE_BPF_FLAGS -idirafter ${CMAKE_SYSROOT}/usr/include/${CMAKE_C_LIBRARY_ARCHITECTURE})
endif()

# Prebuilt addons do without source lines, so that the package is smaller.
set(POLYTRACE_STRIP_LINES "")
if(POLYTRACE_LIBRARY_SOURCES)
  set(POLYTRACE_STRIP_LINES "${CMAKE_CURRENT_SOURCE_DIR}/scripts/prebuilds/strip-line-info.mjs")
endif()

function(polytrace_bpf_skeletons target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;FLAVOURS")
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/skeletons")
  file(MAKE_DIRECTORY "${folder}")
  file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/bpf/*.h")

  set(skeletons "")
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
      # one step: `gen object` also strips what is not BTF, `gen skeleton` embeds the object
      add_custom_command(
        OUTPUT "${folder}/${name}.skel.h"
        COMMAND ${POLYTRACE_CLANG} ${POLYTRACE_BPF_FLAGS} ${define} -c ${input} -o ${name}.tmp.o
        COMMAND ${POLYTRACE_BPFTOOL} gen object ${name}.bpf.o ${name}.tmp.o
        COMMAND ${strip} ${name}.bpf.o
        COMMAND ${POLYTRACE_BPFTOOL} gen skeleton ${name}.bpf.o name ${name} > ${name}.skel.h
        DEPENDS ${input} ${headers} ${POLYTRACE_STRIP_LINES}
        WORKING_DIRECTORY "${folder}"
        COMMENT "BPF ${name}"
        VERBATIM)
      list(APPEND skeletons "${folder}/${name}.skel.h")
    endforeach()
  endforeach()

  add_custom_target(${target}_files DEPENDS ${skeletons})
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE "${folder}")
  add_dependencies(${target} ${target}_files)
endfunction()
