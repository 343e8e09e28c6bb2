# POLYTRACE_LAYOUT_HASH: of bpf/abi.h; the TypeScript side carries the same and refuses an addon with another.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/bpf/abi.h" "${CMAKE_CURRENT_SOURCE_DIR}/scripts/gen-layout.mjs")
execute_process(
  COMMAND ${POLYTRACE_NODE} "${CMAKE_CURRENT_SOURCE_DIR}/scripts/gen-layout.mjs" --hash
  OUTPUT_VARIABLE POLYTRACE_LAYOUT_HASH
  COMMAND_ERROR_IS_FATAL ANY)
