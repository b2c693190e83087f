// ZstdCodec: compresses payloads into zstd frames, and back, with the dictionaries that it was made
// with.
//
// One serves a Manager; any thread may use it. A thread takes a context of zstd's from those that
// are idle, or a new one: there are as many as threads that compress at a time, and of the idle
// ones at most kMaxIdle of at most kMaxIdleBytes each are kept. Nothing is allocated once warm but
// the result, which is from the caller's pool and within its budget.
//
//   absl::StatusOr<std::shared_ptr<ZstdCodec>> codec = ZstdCodec::Create({});
//   Buffer frame;
//   Compressed how = (*codec)->Compress(payload, 1, 0, pool, &frame);
//   if (how.original_bytes == 0) ...   // not worth it
//   if ((*codec)->Check(frame, how, limit) == CompressionFault::kNone) {
//     fault = (*codec)->Decompress(frame, how, pool, &payload);
//   }
#ifndef GRID_SERIALIZATION_ZSTD_CODEC_H_
#define GRID_SERIALIZATION_ZSTD_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"
#include "serialization/bytes.h"
#include "serialization/dictionary_ids.h"

// zstd's own types, which nobody but the codec sees.
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;
struct ZSTD_CDict_s;
struct ZSTD_DDict_s;

namespace grid {

// What a payload was before compression; as it stands in an extension block.
struct Compressed {
  uint64_t original_bytes = 0;  // 0: it was not compressed
  uint32_t dictionary = 0;      // 0: none was used
  bool skipped = false;         // compression was tried, and not worth it

  bool tried() const { return skipped || original_bytes != 0; }
  // Bytes of the payload as the application knows it.
  size_t OriginalSize(BytesView payload) const {
    return original_bytes == 0 ? payload.size() : static_cast<size_t>(original_bytes);
  }
};

enum class CompressionFault : uint8_t {
  kNone,
  kCorrupt,            // no zstd frame, or not of that size
  kUnknownDictionary,  // it needs one that we don't have
  kTooBig,             // the payload exceeds the limit
  kNoRoom,             // the pool's budget is used up
};
// A sentence for statuses.
const char* DescribeCompressionFault(CompressionFault fault);

class ZstdCodec {
 public:
  static constexpr int kMinLevel = 1;
  static constexpr int kMaxLevel = 12;  // beyond it takes a hundred times as long
  static constexpr size_t kMaxDictionaryBytes = size_t{1} << 20;
  static constexpr size_t kMaxIdle = 16;
  static constexpr size_t kMaxIdleBytes = size_t{8} << 20;

  // `dictionaries`: each the bytes of one as ZDICT makes it, which are copied. kInvalidArgument
  // names the one that is none, has no id, repeats an id, is above kMaxDictionaryBytes, or one too
  // many.
  static absl::StatusOr<std::shared_ptr<ZstdCodec>> Create(
      absl::Span<const std::string> dictionaries);
  // The id in a dictionary's header; 0: it is none, or has none.
  static uint32_t IdOf(std::string_view dictionary);
  ~ZstdCodec();
  ZstdCodec(const ZstdCodec&) = delete;
  ZstdCodec& operator=(const ZstdCodec&) = delete;

  const DictionaryIds& dictionaries() const { return ids_; }

  // Compresses into *frame, of `pool`, if that saves at least an eighth of `payload`; otherwise
  // `skipped`, also when the pool's budget does not allow to try. `level` is brought within the
  // limits above. `dictionary` 0 or unknown: without one.
  Compressed Compress(BytesView payload, uint32_t level, uint32_t dictionary, BufferPool& pool,
                      Buffer* frame);

  // What can be said of a frame that a peer sent before anything is allocated or decompressed: what
  // `how` claims is at most `max_bytes`, could be in so many bytes, and agrees with the frame's own
  // header; the dictionary is known.
  CompressionFault Check(BytesView frame, const Compressed& how, size_t max_bytes) const;
  // Decompresses a frame that Check has passed into *payload. Never more than how.original_bytes
  // are written, and fewer are a fault.
  CompressionFault Decompress(BytesView frame, const Compressed& how, BufferPool& pool,
                              Buffer* payload);

 private:
  struct Freer {
    void operator()(ZSTD_CCtx_s* context) const;
    void operator()(ZSTD_DCtx_s* context) const;
    void operator()(ZSTD_CDict_s* dictionary) const;
    void operator()(ZSTD_DDict_s* dictionary) const;
  };
  template <typename Context>
  using Owned = std::unique_ptr<Context, Freer>;
  struct Dictionary {
    uint32_t id = 0;
    std::string bytes;
    Owned<ZSTD_DDict_s> to_read;
    // By level, made when first used. Guarded by mutex_; never changed once made.
    std::array<Owned<ZSTD_CDict_s>, kMaxLevel + 1> to_write;
  };

  ZstdCodec() = default;
  absl::Status Add(const std::string& bytes);
  const Dictionary* Find(uint32_t id) const;
  const ZSTD_CDict_s* DictionaryFor(uint32_t id, int level);
  template <typename Context, typename Make>
  Owned<Context> Take(std::vector<Owned<Context>>& idle, Make make);
  template <typename Context>
  void GiveBack(std::vector<Owned<Context>>& idle, Owned<Context> context);

  DictionaryIds ids_;
  std::vector<std::unique_ptr<Dictionary>> dictionaries_;

  std::mutex mutex_;
  std::vector<Owned<ZSTD_CCtx_s>> writers_ ABSL_GUARDED_BY(mutex_);
  std::vector<Owned<ZSTD_DCtx_s>> readers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_ZSTD_CODEC_H_
