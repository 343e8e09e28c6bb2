# The target polytrace_libraries: libbpf with libelf and zlib beneath it. Shared, from pkg-config: Debian's static
# archives are not position-independent. A build with position-independent archives of its own replaces this target only.
set(missing "")
foreach(module_package "libbpf:libbpf-dev" "libelf:libelf-dev" "zlib:zlib1g-dev")
  string(REPLACE ":" ";" module_package "${module_package}")
  list(GET module_package 0 module)
  list(GET module_package 1 package)
  pkg_check_modules(POLYTRACE_${module} QUIET ${module})
  if(NOT POLYTRACE_${module}_FOUND)
    list(APPEND missing ${package})
  endif()
endforeach()
if(missing)
  list(JOIN missing " " missing)
  message(FATAL_ERROR "Missing to build polytrace: ${missing} (Debian: apt-get install ${missing})")
endif()
# What is too old, with the first releases that are new enough. The compiler's own messages would not say it.
set(releases "Debian 13, bookworm-backports and Ubuntu 24.04 have it; the addon in the npm package runs on older releases, too")
if(POLYTRACE_libbpf_VERSION VERSION_LESS 1.3)
  message(FATAL_ERROR "libbpf ${POLYTRACE_libbpf_VERSION} is too old: 1.3 or later is needed (${releases}).")
endif()
include(CheckStructHasMember)
check_struct_has_member("struct bpf_link_info" perf_event.kprobe.addr linux/bpf.h POLYTRACE_HAS_KERNEL_HEADERS)
if(NOT POLYTRACE_HAS_KERNEL_HEADERS)
  unset(POLYTRACE_HAS_KERNEL_HEADERS CACHE) # a later configuration looks again
  message(FATAL_ERROR "linux/bpf.h is too old: that of Linux 6.6 or later is needed (linux-libc-dev; ${releases}).")
endif()

pkg_get_variable(POLYTRACE_LIBBPF_INCLUDE libbpf includedir)

add_library(polytrace_libraries INTERFACE)
target_include_directories(polytrace_libraries SYSTEM INTERFACE ${POLYTRACE_libbpf_INCLUDE_DIRS})
target_link_directories(polytrace_libraries INTERFACE ${POLYTRACE_libbpf_LIBRARY_DIRS})
target_link_libraries(polytrace_libraries INTERFACE
  ${POLYTRACE_libbpf_LIBRARIES} ${POLYTRACE_libelf_LIBRARIES} ${POLYTRACE_zlib_LIBRARIES})
