#include "grid/directory/rendezvous.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "serialization/checksum.h"

namespace grid {
namespace {

// Whether `a` comes before `b`, by score and then by name.
bool Before(uint64_t score_a, const std::string& a, uint64_t score_b, const std::string& b) {
  return score_a != score_b ? score_a > score_b : a < b;
}

}  // namespace

uint64_t RendezvousScore(std::string_view member, std::string_view key) {
  const size_t size = member.size() + 1 + key.size();
  // Members and keys are short: nothing is allocated for them.
  std::array<char, 512> small;
  std::string large;
  char* const bytes = size <= small.size() ? small.data() : (large.resize(size), large.data());
  char* const zero = std::copy(member.begin(), member.end(), bytes);
  *zero = '\0';
  std::copy(key.begin(), key.end(), zero + 1);
  return Xxh3(AsBytes(std::string_view(bytes, size)));
}

size_t RendezvousPick(std::span<const std::string> members, std::string_view key) {
  size_t best = members.size();
  uint64_t best_score = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    const uint64_t score = RendezvousScore(members[i], key);
    if (best < members.size() && !Before(score, members[i], best_score, members[best])) continue;
    best = i;
    best_score = score;
  }
  return best;
}

std::vector<size_t> RendezvousOrder(std::span<const std::string> members, std::string_view key) {
  std::vector<uint64_t> scores;
  scores.reserve(members.size());
  for (const std::string& member : members) scores.push_back(RendezvousScore(member, key));
  std::vector<size_t> order(members.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return Before(scores[a], members[a], scores[b], members[b]);
  });
  return order;
}

}  // namespace grid
