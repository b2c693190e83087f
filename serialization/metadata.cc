#include "serialization/metadata.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "serialization/msgpack_cursor.h"

namespace grid {
namespace {

using internal::MsgpackError;
using internal::MsgpackReader;

constexpr uint8_t kFixMap = 0x80;

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("metadata: ", what));
}

// What holds for all entries together.
class Rules {
 public:
  absl::Status Add(const MetadataView::Entry& entry) {
    if (entry.key.empty()) return Wrong("a key is empty");
    if (count_ == keys_.size()) return Wrong(absl::StrCat("more than ", count_, " entries"));
    const auto end = keys_.begin() + count_;
    if (std::find(keys_.begin(), end, entry.key) != end) return Wrong("a key occurs twice");
    keys_[count_++] = entry.key;
    text_bytes_ += entry.key.size() + entry.value.size();
    if (text_bytes_ <= MetadataView::kMaxTextBytes) return absl::OkStatus();
    return Wrong(absl::StrCat(text_bytes_, " bytes of keys and values, more than ",
                              MetadataView::kMaxTextBytes));
  }

 private:
  std::array<std::string_view, MetadataView::kMaxEntries> keys_;
  size_t count_ = 0;
  size_t text_bytes_ = 0;
};

bool ReadEntry(MsgpackReader& in, MetadataView::Entry* entry) {
  return in.ReadStr(&entry->key) == MsgpackError::kOk &&
         in.ReadStr(&entry->value) == MsgpackError::kOk;
}

}  // namespace

absl::StatusOr<MetadataView> MetadataView::Parse(BytesView bytes) {
  // With longer headers than needed they would not fit the block of a call that carries them on.
  if (bytes.size() > Metadata::kMaxBytes) return Wrong("more bytes than any that keeps the limits");
  MsgpackReader in(bytes);
  uint32_t count = 0;
  if (in.ReadMapHeader(&count) != MsgpackError::kOk || in.position() != bytes.data() + 1) {
    return Wrong("not a map of at most 15 entries");
  }
  Rules rules;
  for (uint32_t i = 0; i < count; ++i) {
    Entry entry;
    if (!ReadEntry(in, &entry)) return Wrong("a key or a value is no text, or is cut off");
    if (absl::Status status = rules.Add(entry); !status.ok()) return status;
  }
  if (in.remaining() != 0) return Wrong("something follows the entries");
  return count == 0 ? MetadataView() : MetadataView(bytes);
}

std::optional<std::string_view> MetadataView::Find(std::string_view key) const {
  for (const Entry entry : *this) {
    if (entry.key == key) return entry.value;
  }
  return std::nullopt;
}

MetadataView::Entry MetadataView::Iterator::operator*() const {
  MsgpackReader in(left_);
  Entry entry;
  ReadEntry(in, &entry);
  return entry;
}

MetadataView::Iterator& MetadataView::Iterator::operator++() {
  MsgpackReader in(left_);
  Entry entry;
  ReadEntry(in, &entry);
  left_ = left_.last(in.remaining());
  return *this;
}

absl::Status Metadata::Add(std::string_view key, std::string_view value) {
  Rules rules;
  for (const MetadataView::Entry entry : view()) rules.Add(entry).IgnoreError();
  if (absl::Status status = rules.Add({key, value}); !status.ok()) return status;
  if (size_ == 0) bytes_[size_++] = kFixMap;
  ++bytes_[0];
  uint8_t* const end = internal::WriteStr(value, internal::WriteStr(key, bytes_.data() + size_));
  size_ = static_cast<size_t>(end - bytes_.data());
  return absl::OkStatus();
}

}  // namespace grid
