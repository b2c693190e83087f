#include "serialization/zstd_codec.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "serialization/train_dictionary.h"
#include "tests/json_payload.h"

namespace grid {
namespace {

using test::JsonPayload;
using test::JsonPayloads;

constexpr size_t kLimit = size_t{1} << 20;

class ZstdCodecTest : public testing::Test {
 protected:
  static std::shared_ptr<ZstdCodec> Make(const std::vector<std::string>& dictionaries = {}) {
    auto codec = ZstdCodec::Create(dictionaries);
    EXPECT_TRUE(codec.ok()) << codec.status();
    return *codec;
  }
  static const std::string& TrainedDictionary() {
    static const std::string made = [] {
      auto dictionary = TrainDictionary(JsonPayloads(500, 200), 4096, 7);
      EXPECT_TRUE(dictionary.ok()) << dictionary.status();
      return *dictionary;
    }();
    return made;
  }
  // Of zstd itself, with the size in its header or not.
  static std::string Frame(const std::string& payload, bool with_size = true) {
    ZSTD_CCtx* const context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, with_size ? 1 : 0);
    std::string out(ZSTD_compressBound(payload.size()), '\0');
    out.resize(ZSTD_compress2(context, out.data(), out.size(), payload.data(), payload.size()));
    ZSTD_freeCCtx(context);
    return out;
  }
  CompressionFault Read(ZstdCodec& codec, BytesView frame, Compressed how, std::string* payload) {
    CompressionFault fault = codec.Check(frame, how, kLimit);
    if (fault != CompressionFault::kNone) return fault;
    Buffer out;
    fault = codec.Decompress(frame, how, *pool_, &out);
    payload->assign(out.text());
    return fault;
  }
  CompressionFault Read(const std::string& frame, uint64_t original, uint32_t dictionary = 0) {
    std::string payload;
    return Read(*codec_, AsBytes(frame), {.original_bytes = original, .dictionary = dictionary},
                &payload);
  }

  const std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  const std::shared_ptr<ZstdCodec> codec_ = Make();
};

TEST_F(ZstdCodecTest, RoundTrip_AtEveryLevel) {
  for (const size_t size : {size_t{100}, size_t{4096}, size_t{300'000}}) {
    const std::string payload = JsonPayload(size);
    for (uint32_t level = 0; level <= 20; ++level) {  // those beyond the range count as its ends
      Buffer frame;
      const Compressed how = codec_->Compress(AsBytes(payload), level, 0, *pool_, &frame);
      if (size == 100 && how.skipped) continue;
      ASSERT_EQ(how.original_bytes, payload.size());
      EXPECT_EQ(how.dictionary, 0u);
      EXPECT_LE(frame.size(), payload.size() - payload.size() / 8);
      std::string read;
      EXPECT_EQ(Read(*codec_, frame, how, &read), CompressionFault::kNone);
      EXPECT_TRUE(read == payload);
    }
  }
}

TEST_F(ZstdCodecTest, SavesLessThanAnEighth_IsSkipped) {
  std::string noise(4096, '\0');
  uint64_t state = 1;
  for (char& c : noise) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(state >> 56);
  }
  Buffer frame;
  const Compressed how = codec_->Compress(AsBytes(noise), 1, 0, *pool_, &frame);
  EXPECT_TRUE(how.skipped);
  EXPECT_EQ(how.original_bytes, 0u);
  EXPECT_TRUE(frame.is_nil());
  // A tenth of it could be saved, which is too little.
  const std::string tenth = noise.substr(0, 3700) + std::string(396, 'x');
  EXPECT_TRUE(codec_->Compress(AsBytes(tenth), 1, 0, *pool_, &frame).skipped);
  const std::string fifth = noise.substr(0, 3300) + std::string(796, 'x');
  EXPECT_EQ(codec_->Compress(AsBytes(fifth), 1, 0, *pool_, &frame).original_bytes, 4096u);
  for (const char* tiny : {"", "x"}) {
    EXPECT_TRUE(codec_->Compress(AsBytes(tiny), 1, 0, *pool_, &frame).skipped);
  }
}

TEST_F(ZstdCodecTest, NoBudget_IsSkippedOrNoRoom) {
  const auto small = BufferPool::Create({.budget_bytes = 1024});
  const std::string payload = JsonPayload(10'000);
  Buffer frame;
  EXPECT_TRUE(codec_->Compress(AsBytes(payload), 1, 0, *small, &frame).skipped);
  const Compressed how = codec_->Compress(AsBytes(payload), 1, 0, *pool_, &frame);
  Buffer out;
  EXPECT_EQ(codec_->Decompress(frame, how, *small, &out), CompressionFault::kNoRoom);
  EXPECT_TRUE(out.is_nil());
}

TEST_F(ZstdCodecTest, Lies_AreFoundBeforeThereIsMemory) {
  const std::string frame = Frame(std::string(1000, 'x'));
  const uint64_t taken = pool_->Stats().taken;
  EXPECT_EQ(Read(frame, 1000 + kLimit), CompressionFault::kTooBig);
  EXPECT_EQ(Read(frame, UINT64_MAX), CompressionFault::kTooBig);
  EXPECT_EQ(Read(frame, 0), CompressionFault::kCorrupt);
  EXPECT_EQ(Read(frame, 999), CompressionFault::kCorrupt);  // its header says 1000
  EXPECT_EQ(Read(frame, 1001), CompressionFault::kCorrupt);
  EXPECT_EQ(Read("", 1), CompressionFault::kCorrupt);
  EXPECT_EQ(Read("no frame at all", 15), CompressionFault::kCorrupt);
  // More than so few bytes can hold, with no size in the header.
  const std::string bare = Frame(std::string(1000, 'x'), false);
  EXPECT_EQ(Read(bare, kLimit), CompressionFault::kCorrupt);
  EXPECT_EQ(pool_->Stats().taken, taken);
}

TEST_F(ZstdCodecTest, SizeOnlyInTheBlock_MustStillBeRight) {
  const std::string payload = JsonPayload(1000);
  const std::string bare = Frame(payload, false);
  EXPECT_EQ(Read(bare, payload.size()), CompressionFault::kNone);
  EXPECT_EQ(Read(bare, payload.size() - 1), CompressionFault::kCorrupt);
  EXPECT_EQ(Read(bare, payload.size() + 1), CompressionFault::kCorrupt);
}

TEST_F(ZstdCodecTest, NotOneWholeFrame_IsCorrupt) {
  const std::string payload = JsonPayload(1000);
  const std::string frame = Frame(payload);
  EXPECT_EQ(Read(frame + "x", payload.size()), CompressionFault::kCorrupt);
  EXPECT_EQ(Read(frame + Frame(""), payload.size()), CompressionFault::kCorrupt);
  for (size_t cut = 0; cut < frame.size(); ++cut) {
    EXPECT_EQ(Read(frame.substr(0, cut), payload.size()), CompressionFault::kCorrupt) << cut;
  }
  // A skippable frame, which zstd itself would pass over.
  const std::string skippable("\x50\x2a\x4d\x18\x01\x00\x00\x00y", 9);
  EXPECT_EQ(Read(skippable, 1), CompressionFault::kCorrupt);
  EXPECT_EQ(Read(skippable + frame, payload.size()), CompressionFault::kCorrupt);
}

TEST_F(ZstdCodecTest, EveryFlippedByte_IsFoundOrGivesAsManyBytes) {
  const std::string payload = JsonPayload(500);
  const std::string frame = Frame(payload);
  for (size_t i = 0; i < frame.size(); ++i) {
    std::string flipped = frame;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x5a);
    std::string read;
    const Compressed how{.original_bytes = payload.size()};
    if (Read(*codec_, AsBytes(flipped), how, &read) == CompressionFault::kNone) {
      EXPECT_EQ(read.size(), payload.size());
    }
  }
}

TEST_F(ZstdCodecTest, Dictionary_MakesSmallPayloadsSmaller) {
  const std::shared_ptr<ZstdCodec> codec = Make({TrainedDictionary()});
  ASSERT_EQ(codec->dictionaries().size(), 1u);
  EXPECT_TRUE(codec->dictionaries().contains(7));
  const std::string payload = JsonPayload(200, 5);
  Buffer plain, frame;
  codec->Compress(AsBytes(payload), 1, 0, *pool_, &plain);
  const Compressed how = codec->Compress(AsBytes(payload), 1, 7, *pool_, &frame);
  EXPECT_EQ(how.dictionary, 7u);
  ASSERT_GT(frame.size(), 0u);
  EXPECT_LT(frame.size(), payload.size() / 2);
  if (!plain.is_nil()) {
    EXPECT_LT(frame.size(), plain.size());
  }
  std::string read;
  EXPECT_EQ(Read(*codec, frame, how, &read), CompressionFault::kNone);
  EXPECT_EQ(read, payload);

  // The key must be there, and be right.
  Compressed without = how;
  without.dictionary = 0;
  EXPECT_EQ(Read(*codec, frame, without, &read), CompressionFault::kCorrupt);
  without.dictionary = 8;
  EXPECT_EQ(Read(*codec, frame, without, &read), CompressionFault::kUnknownDictionary);
  EXPECT_EQ(Read(*codec_, frame, how, &read), CompressionFault::kUnknownDictionary);
}

TEST_F(ZstdCodecTest, OtherDictionaryOfThatId_IsFound) {
  const auto other = TrainDictionary(JsonPayloads(600, 300), 4096, 7);
  ASSERT_TRUE(other.ok());
  ASSERT_NE(*other, TrainedDictionary());
  const std::shared_ptr<ZstdCodec> ours = Make({TrainedDictionary()});
  const std::shared_ptr<ZstdCodec> theirs = Make({*other});
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    Buffer frame;
    const std::string payload = JsonPayload(200, seed);
    const Compressed how = ours->Compress(AsBytes(payload), 1, 7, *pool_, &frame);
    std::string read;
    EXPECT_EQ(Read(*theirs, frame, how, &read), CompressionFault::kCorrupt);
  }
}

TEST_F(ZstdCodecTest, UnknownDictionary_CompressesWithout) {
  Buffer frame;
  const Compressed how = codec_->Compress(AsBytes(JsonPayload(4096)), 1, 9, *pool_, &frame);
  EXPECT_GT(how.original_bytes, 0u);
  EXPECT_EQ(how.dictionary, 0u);
}

TEST_F(ZstdCodecTest, BadDictionaries_AreNamed) {
  const auto error = [](const std::vector<std::string>& dictionaries) {
    return std::string(ZstdCodec::Create(dictionaries).status().message());
  };
  const std::string& good = TrainedDictionary();
  EXPECT_EQ(error({good, "plain bytes"}), "dictionary 2 is no zstd dictionary with an id");
  EXPECT_EQ(error({good, good}), "dictionary 2 has the id of an earlier one: 7");
  EXPECT_EQ(error({good.substr(0, 12)}), "dictionary 1 can't be read: it is damaged");
  EXPECT_EQ(error({std::string((1 << 20) + 1, 'x')}),
            "dictionary 1 has 1048577 bytes, more than 1048576");
  std::vector<std::string> many;
  for (char id = 1; id <= 16; ++id) {
    many.push_back(good);
    many.back()[4] = id;
  }
  EXPECT_EQ(error(many), "dictionary 16 is one more than 15");
}

TEST_F(ZstdCodecTest, Warm_NothingIsAllocatedFromThePool) {
  const std::string payload = JsonPayload(4096);
  const auto once = [&] {
    Buffer frame, out;
    const Compressed how = codec_->Compress(AsBytes(payload), 1, 0, *pool_, &frame);
    EXPECT_EQ(codec_->Decompress(frame, how, *pool_, &out), CompressionFault::kNone);
  };
  once();
  const uint64_t before = pool_->Stats().allocated;
  for (int i = 0; i < 10; ++i) once();
  EXPECT_EQ(pool_->Stats().allocated, before);
}

TEST(TrainDictionaryTest, IdIsAsAskedForOrOfTheContents) {
  const std::vector<std::string> payloads = JsonPayloads(500, 200);
  const auto one = TrainDictionary(payloads, 4096, 123'456);
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_LE(one->size(), 4096u);
  EXPECT_EQ(ZSTD_getDictID_fromDict(one->data(), one->size()), 123'456u);
  const auto two = TrainDictionary(payloads, 4096, 0);
  ASSERT_TRUE(two.ok());
  EXPECT_GE(ZSTD_getDictID_fromDict(two->data(), two->size()), 32768u);
  EXPECT_EQ(*two, *TrainDictionary(payloads, 4096, 0));
}

TEST(TrainDictionaryTest, TooLittleToLearnFrom_IsAnError) {
  EXPECT_EQ(TrainDictionary({}, 4096, 0).status().code(), absl::StatusCode::kInvalidArgument);
  const std::vector<std::string> few = {"a", "b"};
  const absl::Status status = TrainDictionary(few, 4096, 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("2 payloads of 2 bytes"), absl::string_view::npos) << status;
  EXPECT_FALSE(TrainDictionary(few, 255, 0).ok());
  EXPECT_FALSE(TrainDictionary(few, (1 << 20) + 1, 0).ok());
}

}  // namespace
}  // namespace grid
