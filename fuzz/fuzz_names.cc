// Arbitrary text as everything of names that is read from text: paths, names, selectors, routings,
// policies, placements. What is read is printed as it was written, since there is one text for each
// value; a policy may leave out its defaults, so what it prints must be read as the same again.
//
// The text is tried as it is, so a corpus file is simply a text.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "fuzz/require.h"
#include "grid/actor/placement.h"
#include "grid/directory/call_policy.h"
#include "grid/directory/name.h"
#include "grid/directory/routing.h"
#include "grid/directory/selector.h"

namespace grid {
namespace {

using fuzz::Require;

// Every refusal says something, and is about the text.
template <typename Value>
bool Read(const absl::StatusOr<Value>& value) {
  if (value.ok()) return true;
  Require(absl::IsInvalidArgument(value.status()), "a refusal has another code");
  Require(!value.status().message().empty(), "a refusal does not say why");
  return false;
}

void TryPath(std::string_view text) {
  const absl::StatusOr<Path> path = Path::Parse(text);
  const absl::StatusOr<Name> name = Name::Parse(text);
  if (Read(path)) Require(path->text() == text, "a path prints as another");
  if (!Read(name)) return;
  Require(name->text() == text, "a name prints as another");
  Require(path.ok(), "a name is no path");
  Require(Selector::Of({*name}).MatchesName(*name), "a selector misses the name it names");
}

// For values of which there is one text each.
template <typename Value>
void TryExact(std::string_view text) {
  const absl::StatusOr<Value> value = Value::Parse(text);
  if (!Read(value)) return;
  Require(value->ToString() == text, "a value prints as another");
  Require(value->Check().ok(), "what was read is refused afterwards");
}

void TryPolicy(std::string_view text) {
  const absl::StatusOr<CallPolicy> policy = CallPolicy::Parse(text);
  if (!Read(policy)) return;
  Require(policy->Check().ok(), "a policy that was read is refused afterwards");
  const absl::StatusOr<CallPolicy> again = CallPolicy::Parse(policy->ToString());
  Require(again.ok(), "a printed policy is refused");
  Require(*again == *policy, "a policy changed on its way");
}

}  // namespace
}  // namespace grid

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  grid::TryPath(text);
  grid::TryExact<grid::Selector>(text);
  grid::TryExact<grid::Routing>(text);
  grid::TryExact<grid::Placement>(text);
  grid::TryPolicy(text);
  return 0;
}
