// DictionaryIds: a small set of zstd dictionaries, by the id in their header; plain data.
#ifndef GRID_SERIALIZATION_DICTIONARY_IDS_H_
#define GRID_SERIALIZATION_DICTIONARY_IDS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace grid {

class DictionaryIds {
 public:
  static constexpr size_t kMax = 15;  // the most that an array with a header of one byte has

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  const uint32_t* begin() const { return ids_.data(); }
  const uint32_t* end() const { return ids_.data() + size_; }
  bool contains(uint32_t id) const { return std::find(begin(), end(), id) != end(); }

  // False when it is there already, is 0 (which is no id), or there are kMax.
  bool Add(uint32_t id) {
    if (id == 0 || size_ == kMax || contains(id)) return false;
    ids_[size_++] = id;
    return true;
  }
  // Those of ours that are among `theirs`.
  DictionaryIds CommonWith(const DictionaryIds& theirs) const {
    DictionaryIds common;
    for (const uint32_t id : *this) {
      if (theirs.contains(id)) common.Add(id);
    }
    return common;
  }

  friend bool operator==(const DictionaryIds&, const DictionaryIds&) = default;

 private:
  std::array<uint32_t, kMax> ids_{};
  uint32_t size_ = 0;
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_DICTIONARY_IDS_H_
