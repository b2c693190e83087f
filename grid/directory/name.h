// Name: who can be called, as a path "realm/kind/key[/more]". Path: the beginning of names.
//
//   absl::StatusOr<Name> name = Name::Parse("shop/cart/4711");
//   name->realm() == "shop"; name->kind() == "cart"; name->key() == "4711";
//   Path::Parse("shop/cart")->Contains(*name);    // whole segments: "shop/car" does not
//
// A segment is 1 to 255 bytes of A-Z a-z 0-9 . _ -, but neither "." nor "..". A path has 1 to 16
// segments, a name 3 to 16, and either at most 1023 bytes. Anything else is refused with
// kInvalidArgument, which says at which byte, counted from 0. Printing and parsing are exact
// inverses. Values; pure functions, any thread.
#ifndef GRID_GRID_DIRECTORY_NAME_H_
#define GRID_GRID_DIRECTORY_NAME_H_

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace grid {

// Who patrols a kind (grid/actor/patrol.h) holds a name below it. Clients of the mesh hold no
// others.
inline constexpr char kPatrolsPath[] = "sys/patrol";

class Name;

class Path {
 public:
  static constexpr size_t kMaxBytes = 1023;
  static constexpr size_t kMaxSegmentBytes = 255;
  static constexpr size_t kMaxSegments = 16;

  static absl::StatusOr<Path> Parse(std::string_view text);
  // The path of no segment, below which every name lies. It has no text, so Parse gives none.
  static Path Root() { return Path(std::string()); }

  const std::string& text() const { return text_; }
  size_t size() const;  // in segments
  // True when `name` is this path or lies below it.
  bool Contains(const Name& name) const;

  friend auto operator<=>(const Path&, const Path&) = default;  // NOLINT(modernize-use-nullptr)

 private:
  explicit Path(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

class Name {
 public:
  static constexpr size_t kMinSegments = 3;

  static absl::StatusOr<Name> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  size_t size() const;  // in segments
  // From 0; empty beyond the last one. Valid as long as this Name is neither changed nor moved.
  std::string_view Segment(size_t index) const;
  std::string_view realm() const { return Segment(0); }
  std::string_view kind() const { return Segment(1); }
  std::string_view key() const { return Segment(2); }

  // clang-tidy 14 takes what <=> is compared with for a pointer.
  friend auto operator<=>(const Name&, const Name&) = default;  // NOLINT(modernize-use-nullptr)
  template <typename H>
  friend H AbslHashValue(H state, const Name& name) {
    return H::combine(std::move(state), name.text_);
  }

 private:
  explicit Name(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_NAME_H_
