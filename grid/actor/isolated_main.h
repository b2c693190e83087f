// How the process of an isolated actor is told that it is one: the first argument, behind it the id
// of the process that has started it, and the socket to that one as a file of this number.
//
// Internal to grid/actor.
#ifndef GRID_GRID_ACTOR_ISOLATED_MAIN_H_
#define GRID_GRID_ACTOR_ISOLATED_MAIN_H_

namespace grid::internal {

inline constexpr char kIsolatedFlag[] = "--grid-isolated-actor";
inline constexpr int kIsolatedFd = 3;

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ISOLATED_MAIN_H_
