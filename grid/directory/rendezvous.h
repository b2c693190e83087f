// Rendezvous hashing: which member a key belongs to, the same for everybody who knows the same
// members, in whatever order. When a member joins, about 1/n of the keys move, all of them to it;
// when one leaves, only its own move.
//
//   size_t owner = RendezvousPick(members, "user-7");   // members[owner]
//
// A member's score for a key is xxh3 of 64 bits over the member, one zero byte, and the key; the
// greatest score wins, and of equal ones the smaller member. Mixed versions must agree, so this
// never changes. Pure functions, any thread.
#ifndef GRID_GRID_DIRECTORY_RENDEZVOUS_H_
#define GRID_GRID_DIRECTORY_RENDEZVOUS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grid {

uint64_t RendezvousScore(std::string_view member, std::string_view key);

// The index of the member that `key` belongs to; members.size() when there is none.
size_t RendezvousPick(std::span<const std::string> members, std::string_view key);

// All indices, the owner first, then who owns the key when those before are gone.
std::vector<size_t> RendezvousOrder(std::span<const std::string> members, std::string_view key);

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_RENDEZVOUS_H_
