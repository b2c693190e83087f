#include "serialization/checksum.h"

// Inlined here, so that short inputs skip the calls through xxhash's shared library.
#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__x86_64__)
// libxxhash's variant that picks the widest vector instructions the processor has: more than twice
// as fast on long inputs. Its header can't be included beside XXH_INLINE_ALL, which would make the
// declaration static.
extern "C" uint64_t XXH3_64bits_dispatch(const void* input, size_t size);
#endif

namespace grid {
namespace {

// Longest input that xxh3 hashes without its vector loop.
constexpr size_t kShort = 240;

uint64_t HashLong(BytesView bytes) {
#if defined(__x86_64__)
  return XXH3_64bits_dispatch(bytes.data(), bytes.size());
#else
  return XXH3_64bits(bytes.data(), bytes.size());
#endif
}

// The first long hash fills libxxhash's dispatch table without any lock, so it is made before there
// are threads.
[[maybe_unused]] const uint64_t kTableFilled = [] {
  const uint8_t zeros[kShort + 1] = {};
  return HashLong(zeros);
}();

}  // namespace

uint64_t Xxh3(BytesView bytes) {
  return bytes.size() <= kShort ? XXH3_64bits(bytes.data(), bytes.size()) : HashLong(bytes);
}

}  // namespace grid
