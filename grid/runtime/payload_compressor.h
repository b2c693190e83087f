// PayloadCompressor: how payloads are compressed on the way to one peer: at the level and with the
// dictionaries that were agreed upon with it, if zstd was.
//
// Never changes once made: any thread. Whoever hands a payload over calls it where it is, so that a
// worker's answer or a thread's request costs the I/O thread no time.
#ifndef GRID_GRID_RUNTIME_PAYLOAD_COMPRESSOR_H_
#define GRID_GRID_RUNTIME_PAYLOAD_COMPRESSOR_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "handlers/compression.h"
#include "serialization/buffer_pool.h"
#include "serialization/extensions.h"
#include "serialization/payload_ref.h"
#include "serialization/zstd_codec.h"

namespace grid {

// A payload on its way to a session.
struct OutgoingPayload {
  Buffer frame;           // when it was compressed
  Compressed compressed;  // what it was; whether it was tried

  // What is to be sent of `payload`; valid while this is.
  PayloadRef Wire(PayloadRef payload) {
    return compressed.original_bytes != 0 ? PayloadRef(std::move(frame)) : payload;
  }
};

class PayloadCompressor {
 public:
  // `codec` may be null where zstd is off. What is larger than `max_bytes` is left to the session
  // to refuse.
  PayloadCompressor(std::shared_ptr<ZstdCodec> codec, const Extensions& agreed, BufferPool& pool,
                    size_t max_bytes)
      : codec_(std::move(codec)),
        level_(codec_ == nullptr ? 0 : agreed.zstd),
        dictionaries_(agreed.dictionaries),
        pool_(pool),
        max_bytes_(max_bytes) {}

  OutgoingPayload Compress(const Compression& how, BytesView payload) const {
    OutgoingPayload out;
    if (!how.enabled || level_ == 0 || payload.size() < how.min_bytes || payload.empty() ||
        payload.size() > max_bytes_) {
      return out;
    }
    const uint32_t dictionary = dictionaries_.contains(how.dictionary) ? how.dictionary : 0;
    out.compressed = codec_->Compress(payload, level_, dictionary, pool_, &out.frame);
    return out;
  }

 private:
  const std::shared_ptr<ZstdCodec> codec_;
  const uint32_t level_;  // 0: nothing is compressed
  const DictionaryIds dictionaries_;
  BufferPool& pool_;
  const size_t max_bytes_;
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_PAYLOAD_COMPRESSOR_H_
