// What a fuzz target holds to be true. Not assert: it must hold in every build.
#ifndef GRID_FUZZ_REQUIRE_H_
#define GRID_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>

namespace grid::fuzz {

inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

}  // namespace grid::fuzz

#endif  // GRID_FUZZ_REQUIRE_H_
