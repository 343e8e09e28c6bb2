# Stops with one message if something is missing or too old, so that nobody has to start CMake again for each of them.
set(problems ${POLYTRACE_TOO_OLD})
if(POLYTRACE_MISSING)
  list(JOIN POLYTRACE_MISSING " " packages)
  list(APPEND problems "Missing: ${packages} (Debian: apt-get install ${packages}).")
endif()
if(problems)
  list(JOIN problems "\n  " problems)
  message(FATAL_ERROR "polytrace cannot be built here:\n  ${problems}\n"
    "Debian 13 and Ubuntu 24.04 have what is needed, and Debian 12 with bookworm-backports. Any clang from "
    "${POLYTRACE_CLANG_MIN} on will do. The addon in the npm package runs on older releases, too.")
endif()
