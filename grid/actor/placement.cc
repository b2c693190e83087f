#include "grid/actor/placement.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/directory/attributes_text.h"
#include "grid/directory/rendezvous.h"
#include "grid/directory/text_cursor.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

using internal::AttributesText;
using internal::Quoted;
using internal::ReadAttributes;
using internal::TextCursor;
using Mode = Placement::Mode;

// How many members an error tells of.
constexpr size_t kShownMembers = 8;

// The modes without an argument, but for kRandom: with a filter its name is left out.
struct Plain {
  Mode mode;
  const char* text;
};
constexpr Plain kPlain[] = {
    {Mode::kRoundRobin, "round-robin"},
    {Mode::kSpread, "spread"},
    {Mode::kNearCaller, "near-caller"},
    {Mode::kHash, "hash"},
};

// Why `member` can't be taken; empty: it can.
std::string WhyNot(const Placement& placement, const Member& member, const PlacementQuery& query) {
  if (member.client) return "a client";
  if (member.state != MemberState::kUp) return std::string(MemberStateName(member.state));
  if (member.Attribute(Member::kDraining) == "true") return "draining";
  if (query.tried.contains(member.name)) return "was tried";
  if (HostedKind(member, query.name).empty()) return "hosts no such kind";
  for (const auto& [key, value] : placement.with()) {
    const auto has = member.attributes.find(key);
    if (has == member.attributes.end()) return absl::StrCat("has no ", key);
    if (has->second != value) return absl::StrCat(key, " is ", has->second, ", not ", value);
  }
  if (placement.mode() == Mode::kLeast && !member.Metric(placement.argument()).has_value()) {
    return absl::StrCat("has no metric ", placement.argument());
  }
  return {};
}

const Member& PickNear(const std::vector<const Member*>& fit, const MembershipView& view,
                       const PlacementQuery& query) {
  const Member* const caller = view.Find(query.caller);
  const std::string_view zone = caller != nullptr ? caller->Attribute(Member::kZone) : "";
  std::vector<const Member*> near;
  for (const Member* member : fit) {
    if (member == caller) return *member;
    if (!zone.empty() && member->Attribute(Member::kZone) == zone) near.push_back(member);
  }
  const std::vector<const Member*>& among = near.empty() ? fit : near;
  return *among[query.random % among.size()];
}

// With the smallest metric if there is one, the fewest actors, and of those where the name hashes
// to: the same for whoever asks.
const Member& PickLeast(const std::vector<const Member*>& fit, const Placement& placement,
                        const PlacementQuery& query) {
  const auto rank = [&](const Member* member) {
    const double metric =
        placement.mode() == Mode::kLeast ? member->Metric(placement.argument()).value_or(0) : 0;
    const auto runs = query.running.find(member->name);
    return std::tuple(metric, runs == query.running.end() ? size_t{0} : runs->second,
                      ~RendezvousScore(member->name, query.name.text()));
  };
  return **std::min_element(fit.begin(), fit.end(),
                            [&](const Member* a, const Member* b) { return rank(a) < rank(b); });
}

}  // namespace

Placement Placement::With(std::string key, std::string value) && {
  with_.insert_or_assign(std::move(key), std::move(value));
  return std::move(*this);
}

Placement Placement::Isolated() && {
  isolated_ = true;
  return std::move(*this);
}

absl::Status Placement::Check() const {
  const bool takes_one = mode_ == Mode::kLeast || mode_ == Mode::kOn;
  if (takes_one && (argument_.empty() || argument_.size() > kMaxArgumentBytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("placement: the argument of ", mode_ == Mode::kLeast ? "least" : "on", " has ",
                     argument_.size(), " bytes, must be 1 to ", kMaxArgumentBytes));
  }
  if (absl::Status status = CheckAttributes(with_); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("placement: with: ", status.message()));
  }
  return absl::OkStatus();
}

std::string Placement::ToString() const {
  std::string text;
  if (mode_ == Mode::kRandom && with_.empty()) text = "random";
  if (mode_ == Mode::kLeast) text = absl::StrCat("least(", Quoted(argument_), ")");
  if (mode_ == Mode::kOn) text = absl::StrCat("on(", Quoted(argument_), ")");
  for (const Plain& plain : kPlain) {
    if (plain.mode == mode_) text = plain.text;
  }
  if (!with_.empty()) {
    absl::StrAppend(&text, text.empty() ? "" : " ", "with(", AttributesText(with_), ")");
  }
  return isolated_ ? absl::StrCat("isolated(", text, ")") : text;
}

absl::StatusOr<Placement> Placement::Parse(std::string_view text) {
  TextCursor cursor("placement", text);
  Placement placement;
  placement.isolated_ = cursor.Skip("isolated(");
  bool filter = cursor.Skip("with(");
  bool known = filter || cursor.Skip("random");
  if (!filter) {
    const size_t end = cursor.position();
    for (const Plain& plain : kPlain) {
      if (known || !cursor.Skip(plain.text)) continue;
      known = true;
      placement.mode_ = plain.mode;
    }
    for (const auto& [mode, word] :
         {std::pair(Mode::kLeast, "least("), std::pair(Mode::kOn, "on(")}) {
      if (known || !cursor.Skip(word)) continue;
      known = true;
      placement.mode_ = mode;
      absl::StatusOr<std::string> argument = cursor.Value();
      if (!argument.ok()) return argument.status();
      placement.argument_ = *std::move(argument);
      if (absl::Status status = cursor.Expect(")"); !status.ok()) return status;
    }
    if (!known) {
      return cursor.Refuse(
          "expected random, round-robin, least(METRIC), spread, on(MEMBER), near-caller, hash or "
          "with(KEY=VALUE), perhaps within isolated(...)");
    }
    filter = cursor.Skip(" with(");
    if (filter && placement.mode_ == Mode::kRandom) {
      return cursor.RefuseAt(end, "random with(...) is written with(...)");
    }
  }
  if (filter) {
    absl::StatusOr<Attributes> with = ReadAttributes(cursor);
    if (!with.ok()) return with.status();
    placement.with_ = *std::move(with);
  }
  absl::Status status;
  if (placement.isolated_) status = cursor.Expect(")");
  if (status.ok() && !cursor.done()) status = cursor.Refuse("nothing follows here");
  if (status.ok()) status = placement.Check();
  if (!status.ok()) return status;
  return placement;
}

std::string_view HostedKind(const Member& member, const Name& name) {
  std::string_view best;
  const std::string_view text = name.text();
  for (const std::string_view kind : member.Kinds()) {
    const bool below =
        text.size() > kind.size() && text.starts_with(kind) && text[kind.size()] == '/';
    if (below && kind.size() > best.size()) best = kind;
  }
  return best;
}

absl::StatusOr<std::string> Place(const Placement& placement, const MembershipView& view,
                                  const PlacementQuery& query) {
  std::vector<const Member*> fit;
  std::string reasons;
  size_t refused = 0;
  for (const Member& member : view.members) {
    if (placement.mode() == Mode::kOn && member.name != placement.argument()) continue;
    const std::string why = WhyNot(placement, member, query);
    if (why.empty()) {
      fit.push_back(&member);
    } else if (++refused <= kShownMembers) {
      absl::StrAppend(&reasons, refused > 1 ? "; " : "", member.name, ": ", why);
    }
  }
  if (fit.empty()) {
    if (refused > kShownMembers) {
      absl::StrAppend(&reasons, "; and ", refused - kShownMembers, " more");
    }
    if (refused == 0) reasons = placement.mode() == Mode::kOn ? "not a member" : "no members";
    return WithDelivery(
        absl::UnavailableError(absl::StrCat("no member for ", query.name.text(), " by ",
                                            placement.ToString(), ": ", reasons)),
        Delivery::kNotSent);
  }
  switch (placement.mode()) {
    case Mode::kRoundRobin:
      return fit[query.turn % fit.size()]->name;
    case Mode::kLeast:
    case Mode::kSpread:
      return PickLeast(fit, placement, query).name;
    case Mode::kNearCaller:
      return PickNear(fit, view, query).name;
    case Mode::kHash: {
      std::vector<std::string> names;
      names.reserve(fit.size());
      for (const Member* member : fit) names.push_back(member->name);
      return names[RendezvousPick(names, query.name.text())];
    }
    case Mode::kRandom:
    case Mode::kOn:
      break;
  }
  return fit[query.random % fit.size()]->name;
}

}  // namespace grid
