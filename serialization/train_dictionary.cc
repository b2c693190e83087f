#include "serialization/train_dictionary.h"

#include <zdict.h>

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "serialization/zstd_codec.h"

namespace grid {

absl::StatusOr<std::string> TrainDictionary(absl::Span<const std::string> payloads,
                                            size_t max_bytes, uint32_t id) {
  if (max_bytes < kMinTrainedBytes || max_bytes > ZstdCodec::kMaxDictionaryBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a dictionary may have ", kMinTrainedBytes,
                                                   " to ", ZstdCodec::kMaxDictionaryBytes,
                                                   " bytes, not ", max_bytes));
  }
  std::string all;
  std::vector<size_t> sizes;
  sizes.reserve(payloads.size());
  for (const std::string& payload : payloads) {
    all += payload;
    sizes.push_back(payload.size());
  }
  if (sizes.size() > std::numeric_limits<unsigned>::max()) {
    return absl::InvalidArgumentError("too many payloads");
  }
  std::string dictionary(max_bytes, '\0');
  const size_t size = ZDICT_trainFromBuffer(dictionary.data(), dictionary.size(), all.data(),
                                            sizes.data(), static_cast<unsigned>(sizes.size()));
  if (ZDICT_isError(size) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "no dictionary can be made of ", sizes.size(), " payloads of ", all.size(),
        " bytes together: ", ZDICT_getErrorName(size), ". More of them, or longer ones, may do"));
  }
  dictionary.resize(size);
  // The header is a magic number and the id, each 4 bytes, little endian; nothing else depends on
  // it.
  for (size_t i = 0; id != 0 && i < sizeof(id); ++i) {
    dictionary[4 + i] = static_cast<char>(id >> (8 * i) & 0xff);
  }
  return dictionary;
}

}  // namespace grid
