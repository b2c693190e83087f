# Language, warnings, sanitizers and speed-ups, the same for every target, so that no two objects of
# one program disagree (Asio compiled with other flags than its callers breaks the one-definition
# rule quietly).

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# No C++20 modules here: spares a scan of every file.
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

# Line tables only: stack traces stay readable, objects stay small.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
# For sanitizers, assertions on. g++ takes three times as long over Beast with AddressSanitizer and
# -O1 as with -O0, which is more than the tests gain by it.
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1")
if(GRID_SANITIZE MATCHES "address" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(CMAKE_CXX_FLAGS_SANITIZE "-O0 -g1")
endif()

add_compile_options(-Wall -Wextra)
if(GRID_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 loses track of the flag that says whether an optional or a StatusOr holds a value, and
  # warns of every look into one that passed through a handler. Certain cases (-Wuninitialized) stay.
  # The same for lengths: joining strings warns of copies out of bounds (GCC bug 105651), also where
  # the warning falls in its own headers once these are precompiled. And it sees only one half of how
  # Asio allocates the frame of a coroutine, where it inlines the other. AddressSanitizer looks
  # instead.
  add_compile_options(-Wno-maybe-uninitialized -Wno-array-bounds -Wno-restrict
                      -Wno-stringop-overflow -Wno-mismatched-new-delete)
endif()
add_compile_options(-fdiagnostics-color=auto)

if(GRID_SANITIZE)
  add_compile_options(-fsanitize=${GRID_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GRID_SANITIZE} -fno-sanitize-recover=all)
  if(GRID_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # clang 14 can't emit the first check's data for coroutines. The second finds msgpack-c casting a
    # double of 2^64 to see whether it is an integer; whatever comes of it, it is written as a double.
    add_compile_options(-fno-sanitize=function,float-cast-overflow)
  endif()
  if(GRID_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ warns of every atomic_thread_fence, of which Asio has a few; what they order is ordered by
    # its mutexes as well, which ThreadSanitizer does see.
    add_compile_options(-Wno-tsan)
  endif()
  # Sanitizers of this age place their shadow memory where newer kernels may map the program: run
  # the tests without address randomisation, where that is permitted.
  execute_process(COMMAND setarch -R true RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(status EQUAL 0)
    set(CMAKE_CROSSCOMPILING_EMULATOR setarch -R)
  endif()
endif()
if(GRID_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "GRID_FUZZ needs clang++: use the preset `fuzz`")
  endif()
  # Coverage in every object; only the fuzzers themselves link libFuzzer's main.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(GRID_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(GRID_CCACHE_PROGRAM ccache)
  mark_as_advanced(GRID_CCACHE_PROGRAM)
  if(GRID_CCACHE_PROGRAM)
    # Without these ccache takes every file that uses a precompiled header for a miss.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${GRID_CCACHE_PROGRAM}"
    )
  endif()
endif()
