# The target polytrace_libraries: libbpf with libelf beneath it, and zstd. Shared, from pkg-config: Debian's static
# archives are not position-independent. A build with position-independent archives of its own replaces this target only.
foreach(module_package "libbpf:libbpf-dev" "libelf:libelf-dev" "libzstd:libzstd-dev")
  string(REPLACE ":" ";" module_package "${module_package}")
  list(GET module_package 0 module)
  list(GET module_package 1 package)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(POLYTRACE_${module} QUIET ${module})
  endif()
  if(NOT POLYTRACE_${module}_FOUND)
    list(APPEND POLYTRACE_MISSING ${package})
  endif()
endforeach()
# The compiler's own messages would not say what is too old.
if(POLYTRACE_libbpf_FOUND AND POLYTRACE_libbpf_VERSION VERSION_LESS 1.3)
  list(APPEND POLYTRACE_TOO_OLD "libbpf ${POLYTRACE_libbpf_VERSION} is too old: 1.3 or later is needed.")
  unset(POLYTRACE_libbpf_FOUND CACHE) # a later configuration looks again
endif()
include(CheckStructHasMember)
check_struct_has_member("struct bpf_link_info" perf_event.kprobe.addr linux/bpf.h POLYTRACE_HAS_KERNEL_HEADERS)
if(NOT POLYTRACE_HAS_KERNEL_HEADERS)
  unset(POLYTRACE_HAS_KERNEL_HEADERS CACHE) # the same
  list(APPEND POLYTRACE_TOO_OLD "linux/bpf.h is too old: that of Linux 6.6 or later is needed (linux-libc-dev).")
endif()
include(requirements) # the rest of this file needs what is missing

pkg_get_variable(POLYTRACE_LIBBPF_INCLUDE libbpf includedir)

add_library(polytrace_libraries INTERFACE)
target_include_directories(polytrace_libraries SYSTEM INTERFACE ${POLYTRACE_libbpf_INCLUDE_DIRS})
target_link_directories(polytrace_libraries INTERFACE ${POLYTRACE_libbpf_LIBRARY_DIRS})
target_link_libraries(polytrace_libraries INTERFACE
  ${POLYTRACE_libbpf_LIBRARIES} ${POLYTRACE_libelf_LIBRARIES} ${POLYTRACE_libzstd_LIBRARIES})
