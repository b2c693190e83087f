#include "serialization/zstd_codec.h"

#include <zstd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid {
namespace {

// The densest that a frame can be: a block of one repeated byte takes 4 bytes for the largest
// block. What claims to hold more is refused before there is memory for it.
constexpr uint64_t kLeastBlockBytes = 4;

bool CouldHold(BytesView frame, uint64_t original_bytes) {
  return original_bytes / ZSTD_BLOCKSIZE_MAX <= frame.size() / kLeastBlockBytes;
}

absl::Status Refused(size_t number, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("dictionary ", number, " ", what));
}

size_t SizeOf(const ZSTD_CCtx_s* context) { return ZSTD_sizeof_CCtx(context); }
size_t SizeOf(const ZSTD_DCtx_s* context) { return ZSTD_sizeof_DCtx(context); }

}  // namespace

const char* DescribeCompressionFault(CompressionFault fault) {
  switch (fault) {
    case CompressionFault::kNone:
      return "no fault";
    case CompressionFault::kCorrupt:
      return "a compressed payload is no zstd frame of the size that OriginalBytes says";
    case CompressionFault::kUnknownDictionary:
      return "a compressed payload needs a dictionary that this host does not have";
    case CompressionFault::kTooBig:
      return "a compressed payload has more OriginalBytes than a payload may have";
    case CompressionFault::kNoRoom:
      return "no room for a decompressed payload: max_buffered_bytes are held";
  }
  return "an unknown fault";
}

void ZstdCodec::Freer::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }
void ZstdCodec::Freer::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }
void ZstdCodec::Freer::operator()(ZSTD_CDict_s* dictionary) const { ZSTD_freeCDict(dictionary); }
void ZstdCodec::Freer::operator()(ZSTD_DDict_s* dictionary) const { ZSTD_freeDDict(dictionary); }

// --- Making ---

absl::StatusOr<std::shared_ptr<ZstdCodec>> ZstdCodec::Create(
    absl::Span<const std::string> dictionaries) {
  std::shared_ptr<ZstdCodec> codec(new ZstdCodec);
  for (const std::string& bytes : dictionaries) {
    if (absl::Status added = codec->Add(bytes); !added.ok()) return added;
  }
  return codec;
}

ZstdCodec::~ZstdCodec() = default;

uint32_t ZstdCodec::IdOf(std::string_view dictionary) {
  return ZSTD_getDictID_fromDict(dictionary.data(), dictionary.size());
}

absl::Status ZstdCodec::Add(const std::string& bytes) {
  const size_t number = dictionaries_.size() + 1;
  if (number > DictionaryIds::kMax) {
    return Refused(number, absl::StrCat("is one more than ", DictionaryIds::kMax));
  }
  if (bytes.size() > kMaxDictionaryBytes) {
    return Refused(number,
                   absl::StrCat("has ", bytes.size(), " bytes, more than ", kMaxDictionaryBytes));
  }
  auto dictionary = std::make_unique<Dictionary>();
  dictionary->bytes = bytes;
  dictionary->id = IdOf(bytes);
  if (dictionary->id == 0) return Refused(number, "is no zstd dictionary with an id");
  dictionary->to_read.reset(ZSTD_createDDict(dictionary->bytes.data(), dictionary->bytes.size()));
  if (dictionary->to_read == nullptr) return Refused(number, "can't be read: it is damaged");
  if (!ids_.Add(dictionary->id)) {
    return Refused(number, absl::StrCat("has the id of an earlier one: ", dictionary->id));
  }
  dictionaries_.push_back(std::move(dictionary));
  return absl::OkStatus();
}

// --- Contexts and dictionaries ---

template <typename Context, typename Make>
ZstdCodec::Owned<Context> ZstdCodec::Take(std::vector<Owned<Context>>& idle, Make make) {
  {
    std::lock_guard lock(mutex_);
    if (!idle.empty()) {
      Owned<Context> context = std::move(idle.back());
      idle.pop_back();
      return context;
    }
  }
  return Owned<Context>(make());
}

// One that a large payload has made large is not kept.
template <typename Context>
void ZstdCodec::GiveBack(std::vector<Owned<Context>>& idle, Owned<Context> context) {
  if (SizeOf(context.get()) > kMaxIdleBytes) return;
  std::lock_guard lock(mutex_);
  if (idle.size() < kMaxIdle) idle.push_back(std::move(context));
}

const ZstdCodec::Dictionary* ZstdCodec::Find(uint32_t id) const {
  for (const auto& dictionary : dictionaries_) {
    if (dictionary->id == id) return dictionary.get();
  }
  return nullptr;
}

// Null: without one. Reading a dictionary takes milliseconds, once for each level in use.
const ZSTD_CDict_s* ZstdCodec::DictionaryFor(uint32_t id, int level) {
  const auto found = std::find_if(dictionaries_.begin(), dictionaries_.end(),
                                  [id](const auto& dictionary) { return dictionary->id == id; });
  if (id == 0 || found == dictionaries_.end()) return nullptr;
  Dictionary& dictionary = **found;
  std::lock_guard lock(mutex_);
  Owned<ZSTD_CDict_s>& made = dictionary.to_write[static_cast<size_t>(level)];
  if (made == nullptr) {
    made.reset(ZSTD_createCDict(dictionary.bytes.data(), dictionary.bytes.size(), level));
  }
  return made.get();
}

// --- Payloads ---

Compressed ZstdCodec::Compress(BytesView payload, uint32_t level, uint32_t dictionary,
                               BufferPool& pool, Buffer* frame) {
  const Compressed skipped{.skipped = true};
  // zstd gives up by itself when the result would not fit.
  const size_t most = payload.size() - (payload.size() + 7) / 8;
  if (most == 0) return skipped;
  Buffer out = pool.TryTake(most);
  if (out.is_nil()) return skipped;
  const int at_level = static_cast<int>(std::clamp<uint32_t>(level, kMinLevel, kMaxLevel));
  const ZSTD_CDict_s* const prepared = DictionaryFor(dictionary, at_level);
  Owned<ZSTD_CCtx_s> context = Take(writers_, ZSTD_createCCtx);
  if (context == nullptr) return skipped;
  ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, at_level);
  ZSTD_CCtx_refCDict(context.get(), prepared);
  // With other bytes under the same id a peer would read something else, and not notice.
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, prepared != nullptr ? 1 : 0);
  const size_t size =
      ZSTD_compress2(context.get(), out.data(), most, payload.data(), payload.size());
  GiveBack(writers_, std::move(context));
  if (ZSTD_isError(size) != 0) return skipped;
  out.Resize(size);
  // A frame may wait long to be sent, and holds all of its block.
  *frame = size <= most / 2 ? pool.Copy(out) : std::move(out);
  return {.original_bytes = payload.size(), .dictionary = prepared != nullptr ? dictionary : 0};
}

CompressionFault ZstdCodec::Check(BytesView frame, const Compressed& how, size_t max_bytes) const {
  if (how.original_bytes > max_bytes) return CompressionFault::kTooBig;
  if (how.dictionary != 0 && !ids_.contains(how.dictionary)) {
    return CompressionFault::kUnknownDictionary;
  }
  if (how.original_bytes == 0 || !CouldHold(frame, how.original_bytes)) {
    return CompressionFault::kCorrupt;
  }
  // A frame need not say it; one that does must say the same.
  const unsigned long long says = ZSTD_getFrameContentSize(frame.data(), frame.size());
  const bool agrees = says == ZSTD_CONTENTSIZE_UNKNOWN || says == how.original_bytes;
  return agrees ? CompressionFault::kNone : CompressionFault::kCorrupt;
}

CompressionFault ZstdCodec::Decompress(BytesView frame, const Compressed& how, BufferPool& pool,
                                       Buffer* payload) {
  // One frame and nothing behind it: zstd itself would go on with the next.
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) {
    return CompressionFault::kCorrupt;
  }
  const auto size = static_cast<size_t>(how.original_bytes);
  Buffer out = pool.TryTake(size);
  if (out.is_nil()) return CompressionFault::kNoRoom;
  const Dictionary* const dictionary = how.dictionary == 0 ? nullptr : Find(how.dictionary);
  Owned<ZSTD_DCtx_s> context = Take(readers_, ZSTD_createDCtx);
  if (context == nullptr) return CompressionFault::kNoRoom;
  const size_t written =
      dictionary == nullptr
          ? ZSTD_decompressDCtx(context.get(), out.data(), size, frame.data(), frame.size())
          : ZSTD_decompress_usingDDict(context.get(), out.data(), size, frame.data(), frame.size(),
                                       dictionary->to_read.get());
  GiveBack(readers_, std::move(context));
  if (written != size) return CompressionFault::kCorrupt;
  *payload = std::move(out);
  return CompressionFault::kNone;
}

}  // namespace grid
