// Metadata: what a caller tells a handler besides the payload, as keys and values; and
// MetadataView, its bytes on the wire (grid/PROTOCOL.md, "Meta").
//
//   Metadata tags;
//   absl::Status added = tags.Add("tenant", "blue");    // kInvalidArgument: a limit
//   peer.Request(kEcho, payload, {.metadata = tags}, ...);
//
//   context.metadata().Find("tenant");                  // in the handler: "blue"
#ifndef GRID_SERIALIZATION_METADATA_H_
#define GRID_SERIALIZATION_METADATA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "serialization/bytes.h"

namespace grid {

// Entries in the order in which they were added. Valid as long as what it was taken from; any
// thread; nothing is allocated.
class MetadataView {
 public:
  static constexpr size_t kMaxEntries = 8;
  // Keys and values together.
  static constexpr size_t kMaxTextBytes = 112;

  struct Entry {
    std::string_view key;
    std::string_view value;
  };
  class Iterator;

  // No entries.
  MetadataView() = default;
  // Entries from a peer. kInvalidArgument names what is wrong: they are no map of texts, a key is
  // empty or occurs twice, or there are too many.
  static absl::StatusOr<MetadataView> Parse(BytesView bytes);
  // Of bytes that were another view's: a copy, say.
  static MetadataView Of(BytesView bytes) { return MetadataView(bytes); }

  bool empty() const { return bytes_.empty(); }
  size_t size() const { return empty() ? 0 : bytes_[0] & 15u; }
  // The value of `key`; nullopt: there is no such entry.
  std::optional<std::string_view> Find(std::string_view key) const;
  Iterator begin() const;
  Iterator end() const;

  // A MessagePack map of str to str; nil where there are no entries.
  BytesView bytes() const { return bytes_; }

 private:
  explicit MetadataView(BytesView bytes) : bytes_(bytes) {}

  BytesView bytes_;
};

class MetadataView::Iterator {
 public:
  Entry operator*() const;
  Iterator& operator++();
  // Of one view.
  friend bool operator==(const Iterator& a, const Iterator& b) {
    return a.left_.size() == b.left_.size();
  }

 private:
  friend class MetadataView;
  explicit Iterator(BytesView left) : left_(left) {}

  BytesView left_;  // the entries from this one on
};

inline MetadataView::Iterator MetadataView::begin() const {
  return Iterator(empty() ? BytesView() : bytes_.subspan(1));
}
inline MetadataView::Iterator MetadataView::end() const { return Iterator({}); }

// Entries of the caller's. A plain value, which holds them itself. Belongs to one thread.
class Metadata {
 public:
  Metadata() {}  // NOLINT(modernize-use-equals-default): bytes_ stays as it is

  // Most bytes of a view: the map's header, one for each key and value, of two bytes for texts
  // above 31, and the texts.
  static constexpr size_t kMaxBytes = 1 + 2 * MetadataView::kMaxEntries +
                                      MetadataView::kMaxTextBytes / 32 +
                                      MetadataView::kMaxTextBytes;

  // `key` must be neither empty nor there already; both may hold any bytes. kInvalidArgument
  // otherwise, and beyond kMaxEntries and kMaxTextBytes: nothing is added then.
  absl::Status Add(std::string_view key, std::string_view value);

  // Valid until the next Add, and as long as this.
  operator MetadataView() const { return view(); }  // NOLINT(google-explicit-constructor)
  MetadataView view() const {
    return size_ == 0 ? MetadataView() : MetadataView::Of({bytes_.data(), size_});
  }

 private:
  std::array<uint8_t, kMaxBytes> bytes_;
  size_t size_ = 0;
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_METADATA_H_
