#include "serialization/checksum.h"

// Inlined here, so that short inputs skip the calls through xxhash's shared library.
#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__x86_64__)
// libxxhash's variant for the widest vectors that the processor has: two to three times as fast on
// long inputs. Its header can't be included beside XXH_INLINE_ALL, which would make it static.
extern "C" uint64_t XXH3_64bits_dispatch(const void* input, size_t size);
#endif

namespace grid {
namespace {

// Longest input that xxh3 hashes without its vector loop.
[[maybe_unused]] constexpr size_t kShort = 240;

#if defined(__x86_64__)

// libxxhash returns with the upper halves of the vector registers in use, after which every SSE
// instruction is slow: clearing them makes a message of 512 bytes decode four times as fast.
__attribute__((target("avx2"))) uint64_t HashWide(BytesView bytes) {
  const uint64_t hash = XXH3_64bits_dispatch(bytes.data(), bytes.size());
  __builtin_ia32_vzeroupper();
  return hash;
}

// The first call fills libxxhash's dispatch table without any lock, so it is made here, before
// there are threads. Until this is set the other way gives the same hashes.
const bool kWide = [] {
  const uint8_t zeros[kShort + 1] = {};
  return __builtin_cpu_supports("avx2") && HashWide(zeros) == XXH3_64bits(zeros, sizeof(zeros));
}();

#endif

}  // namespace

uint64_t Xxh3(BytesView bytes) {
#if defined(__x86_64__)
  if (bytes.size() > kShort && kWide) return HashWide(bytes);
#endif
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace grid
