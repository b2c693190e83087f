// Makes a zstd dictionary of recorded payloads: what is alike in them need not be sent any more.
#ifndef GRID_SERIALIZATION_TRAIN_DICTIONARY_H_
#define GRID_SERIALIZATION_TRAIN_DICTIONARY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace grid {

inline constexpr size_t kMinTrainedBytes = 256;

// A dictionary of at most `max_bytes` (kMinTrainedBytes to ZstdCodec::kMaxDictionaryBytes); some
// 100 times that in payloads is a good measure of what to train with. `id` 0: one that depends on
// the contents alone, from 32768 to 2^31 - 1. Takes seconds for some 100 MB; any thread.
// kInvalidArgument: `max_bytes` is out of its range, or there are too few payloads, or they have
// too little in common.
absl::StatusOr<std::string> TrainDictionary(absl::Span<const std::string> payloads,
                                            size_t max_bytes, uint32_t id);

}  // namespace grid

#endif  // GRID_SERIALIZATION_TRAIN_DICTIONARY_H_
