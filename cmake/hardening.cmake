# polytrace_harden(TARGET...): compiles and links the targets as distributions do it. scripts/prebuilds/check.mjs checks the
# result. POLYTRACE_PREFIX_MAPS takes the folders of this machine out of what compilers write, so that a build in another
# folder makes the same file.
set(POLYTRACE_PREFIX_MAPS
  "-ffile-prefix-map=${CMAKE_CURRENT_BINARY_DIR}=build"
  "-ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}=.")
if(POLYTRACE_LIBRARY_SOURCES)
  list(APPEND POLYTRACE_PREFIX_MAPS "-ffile-prefix-map=${POLYTRACE_LIBRARY_SOURCES}=libraries")
endif()
if(CMAKE_SYSROOT)
  list(APPEND POLYTRACE_PREFIX_MAPS "-ffile-prefix-map=${CMAKE_SYSROOT}=")
endif()

include(CheckCCompilerFlag)
set(POLYTRACE_HARDENING -fstack-protector-strong ${POLYTRACE_PREFIX_MAPS})
foreach(flag -fstack-clash-protection -fcf-protection -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER "POLYTRACE_HAS${flag}" has)
  set(CMAKE_REQUIRED_FLAGS -Werror)
  check_c_compiler_flag(${flag} ${has})
  unset(CMAKE_REQUIRED_FLAGS)
  if(${has})
    list(APPEND POLYTRACE_HARDENING ${flag})
  endif()
endforeach()

function(polytrace_harden)
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE ${POLYTRACE_HARDENING})
    # glibc checks sizes only in optimized code. The sanitizers have checks of their own.
    if(NOT POLYTRACE_SANITIZE)
      target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3>)
    endif()
    get_target_property(type ${target} TYPE)
    if(type STREQUAL SHARED_LIBRARY)
      target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack)
    endif()
  endforeach()
endfunction()
