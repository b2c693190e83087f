#include "serialization/checksum.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace {

TEST(Checksum, NilHashesAsEmpty) {
  EXPECT_EQ(Xxh3(BytesView()), 0x2d06800538d394c2u);
  EXPECT_EQ(Xxh3(EmptyBytes()), 0x2d06800538d394c2u);
}

TEST(Checksum, MessageChecksumIsTheLowHalf) {
  EXPECT_EQ(MessageChecksum(AsBytes("a")), 0x1e964e1fu);  // of e6c632b61e964e1f
}

// 240 and 241 bytes take different ways; the input need not be aligned.
TEST(Checksum, AlignmentDoesNotMatter) {
  for (const size_t size : {3u, 16u, 128u, 240u, 241u, 1024u, 5000u}) {
    const std::string bytes = test::Sequence(size);
    const uint64_t want = Xxh3(AsBytes(bytes));
    for (size_t shift = 1; shift < 16; ++shift) {
      const std::string shifted = std::string(shift, 'x') + bytes;
      EXPECT_EQ(Xxh3(AsBytes(shifted).subspan(shift)), want);
    }
  }
}

TEST(Checksum, EveryBitCounts) {
  for (const size_t size : {1u, 8u, 17u, 200u, 300u}) {
    std::string bytes = test::Sequence(size);
    const uint32_t want = MessageChecksum(AsBytes(bytes));
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      EXPECT_NE(MessageChecksum(AsBytes(bytes)), want);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    }
  }
}

}  // namespace
}  // namespace grid
