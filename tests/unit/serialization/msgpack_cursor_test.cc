#include "serialization/msgpack_cursor.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/serialization/vector_file.h"

namespace grid::internal {
namespace {

using test::FromHex;

MsgpackError SkipBytes(const std::string& bytes, size_t* left = nullptr) {
  MsgpackReader reader(AsBytes(bytes));
  const MsgpackError error = reader.Skip();
  if (left != nullptr) *left = reader.remaining();
  return error;
}

TEST(MsgpackCursor, SkipPassesOneObjectOfEveryType) {
  const std::vector<std::string> objects = {
      "00",
      "7f",
      "e0",
      "ff",
      "c0",
      "c2",
      "c3",
      "cc01",
      "cd0102",
      "ce01020304",
      "cf0102030405060708",
      "d001",
      "d10102",
      "d201020304",
      "d30102030405060708",
      "ca01020304",
      "cb0102030405060708",
      "a0",
      "a3616263",
      "d90161",
      "da000161",
      "db0000000161",
      "c40161",
      "c5000161",
      "c60000000161",
      "d40161",
      "d5016161",
      "d60161616161",
      "d7016161616161616161",
      "d80161616161616161616161616161616161",
      "c7010561",
      "c800010561",
      "c9000000010561",
      "90",
      "930102a161",
      "dc0002c0c0",
      "dd00000001c0",
      "80",
      "8201a16103c0",
      "de0001c0c0",
      "df00000001c0c0",
      "9192938101c0c0c4016101",
  };
  for (const std::string& hex : objects) {
    size_t left = 0;
    EXPECT_EQ(SkipBytes(FromHex(hex + "c3c3"), &left), MsgpackError::kOk) << hex;
    EXPECT_EQ(left, 2u) << hex;
    // No proper prefix is an object.
    for (size_t n = 0; n < hex.size(); n += 2) {
      EXPECT_EQ(SkipBytes(FromHex(hex.substr(0, n))), MsgpackError::kTruncated) << hex << " " << n;
    }
  }
  EXPECT_EQ(SkipBytes("\xc1"), MsgpackError::kWrongType);
}

TEST(MsgpackCursor, SkipBoundsDepth) {
  const std::string ok(MsgpackReader::kMaxSkipDepth, '\x91');
  EXPECT_EQ(SkipBytes(ok + "\xc0"), MsgpackError::kOk);
  EXPECT_EQ(SkipBytes("\x91" + ok + "\xc0"), MsgpackError::kTooDeep);
  EXPECT_EQ(SkipBytes(std::string(10'000'000, '\x91') + "\xc0"), MsgpackError::kTooDeep);
  // Wide is not deep.
  EXPECT_EQ(SkipBytes(FromHex("dc2710") + std::string(10000, '\x90')), MsgpackError::kOk);
}

TEST(MsgpackCursor, SkipRefusesLengthsThatAreNotThere) {
  for (const char* hex : {"ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff05",
                          "dfffffffffc0c0c0", "9fc0", "8fc0c0"}) {
    EXPECT_EQ(SkipBytes(FromHex(hex)), MsgpackError::kTruncated) << hex;
  }
}

TEST(MsgpackCursor, SkipOfRandomBytesEndsWithinThem) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200000; ++i) {
    const size_t size = random() % 40;
    const auto bytes = std::make_unique<uint8_t[]>(size);
    for (size_t k = 0; k < size; ++k) bytes[k] = static_cast<uint8_t>(random() >> 13);
    MsgpackReader reader({bytes.get(), size});
    if (reader.Skip() == MsgpackError::kOk) {
      ASSERT_LT(reader.remaining(), size);
    }
  }
}

TEST(MsgpackCursor, IntegersRoundTripInTheirPredictedSize) {
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{255}, uint64_t{256}, uint64_t{65535},
        uint64_t{65536}, uint64_t{UINT32_MAX}, uint64_t{UINT32_MAX} + 1, UINT64_MAX}) {
    uint8_t out[9];
    uint8_t* const end = WriteUint(value, out);
    EXPECT_EQ(static_cast<size_t>(end - out), UintSize(value));
    MsgpackReader reader({out, end});
    uint64_t back = 0;
    ASSERT_EQ(reader.ReadUint(UINT64_MAX, &back), MsgpackError::kOk);
    EXPECT_EQ(back, value);
    EXPECT_EQ(reader.remaining(), 0u);
    if (value > 127) {
      EXPECT_EQ(MsgpackReader({out, end}).ReadUint(value - 1, &back), MsgpackError::kOutOfRange);
    }
  }
}

TEST(MsgpackCursor, StringsRoundTrip) {
  for (const size_t size : {0u, 1u, 31u, 32u, 255u, 256u, 65535u, 65536u}) {
    const std::string text(size, 's');
    std::string out(size + kMaxStrHeader, '\0');
    auto* const begin = reinterpret_cast<uint8_t*>(out.data());
    MsgpackReader reader({begin, WriteStr(text, begin)});
    std::string_view back;
    ASSERT_EQ(reader.ReadStr(&back), MsgpackError::kOk);
    EXPECT_EQ(back, text);
    EXPECT_EQ(reader.remaining(), 0u);
  }
}

TEST(MsgpackCursor, BinOfEveryWidth_IsReadWholeOrNotAtAll) {
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{255}, size_t{256}, size_t{65535}, size_t{65536}}) {
    const std::string bytes(size, 'b');
    std::string out(BinHeaderSizeFor(size) + size, '\0');
    WriteBin(AsBytes(bytes), reinterpret_cast<uint8_t*>(out.data()));
    MsgpackReader whole(AsBytes(out));
    BytesView back;
    ASSERT_EQ(whole.ReadBin(&back), MsgpackError::kOk) << size;
    EXPECT_EQ(AsText(back), bytes);
    EXPECT_FALSE(IsNil(back));
    EXPECT_EQ(whole.remaining(), 0u);
    // Every cut of the header, and the last byte missing.
    for (size_t cut = 0; cut < BinHeaderSizeFor(size); ++cut) {
      EXPECT_EQ(MsgpackReader(AsBytes(out).first(cut)).ReadBin(&back), MsgpackError::kTruncated);
    }
    if (size > 0) {
      EXPECT_EQ(MsgpackReader(AsBytes(out).first(out.size() - 1)).ReadBin(&back),
                MsgpackError::kTruncated);
    }
  }
}

TEST(MsgpackCursor, ReadersRefuseOtherTypes) {
  // nil, int, str, bin, array, map, ext, bool, float: each read as each.
  const std::vector<std::string> objects = {"c0",   "05", "a161",   "c40161",    "9105",
                                            "8105", "c3", "d40561", "ca00000000"};
  for (const std::string& hex : objects) {
    const std::string bytes = FromHex(hex);
    uint64_t number;
    std::string_view text;
    BytesView view;
    bool flag;
    uint32_t count;
    int8_t type;
    int taken = MsgpackReader(AsBytes(bytes)).ReadNil();
    taken += MsgpackReader(AsBytes(bytes)).ReadUint(UINT64_MAX, &number) == MsgpackError::kOk;
    taken += MsgpackReader(AsBytes(bytes)).ReadStr(&text) == MsgpackError::kOk;
    taken += MsgpackReader(AsBytes(bytes)).ReadBin(&view) == MsgpackError::kOk;
    taken += MsgpackReader(AsBytes(bytes)).ReadBool(&flag) == MsgpackError::kOk;
    taken += MsgpackReader(AsBytes(bytes)).ReadArrayHeader(&count) == MsgpackError::kOk;
    taken += MsgpackReader(AsBytes(bytes)).ReadMapHeader(&count) == MsgpackError::kOk;
    taken += MsgpackReader(AsBytes(bytes)).ReadExt(&type, &view) == MsgpackError::kOk;
    EXPECT_EQ(taken, hex == "ca00000000" ? 0 : 1) << hex;
  }
}

}  // namespace
}  // namespace grid::internal
