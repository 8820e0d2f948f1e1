//! What libpcap has no call for, on the socket that it opened: whether the interface is there, and binding to it again.
//!
//! The only `unsafe` of this crate: each block is one system call on memory of its own. Neither call needs privileges,
//! which are gone by then, so an interface that is made anew can be captured on without opening it anew.

#![allow(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "constants and sizes of structures, into the types that the calls take"
)]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd};

/// An interface as the kernel has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number; an interface that is made anew has another.
    pub(crate) index: i32,
    /// Whether it is up.
    pub(crate) up: bool,
}

/// The interface of that name in the network namespace of the socket; `None` where there is none.
pub(crate) fn link(socket: BorrowedFd<'_>, name: &str) -> io::Result<Option<Link>> {
    // SAFETY: all fields of the structure are plain numbers and bytes, for which zero is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    // The last byte stays zero and ends the name.
    if name.len() >= request.ifr_name.len() {
        return Ok(None);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    // SAFETY: the structure is what both requests take and fill, and lives as long as the call.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request) } < 0 {
        return absent();
    }
    // SAFETY: the call has filled this member.
    let index = unsafe { request.ifr_ifru.ifru_ifindex };
    // SAFETY: as above.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) } < 0 {
        return absent();
    }
    // SAFETY: the call has filled this member.
    let flags = libc::c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    Ok(Some(Link { index, up: flags & libc::IFF_UP != 0 }))
}

fn absent() -> io::Result<Option<Link>> {
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ENODEV) { Ok(None) } else { Err(error) }
}

/// Makes the socket capture on the interface of that number, promiscuously where it can be.
pub(crate) fn bind_to(socket: BorrowedFd<'_>, index: i32) -> io::Result<()> {
    // SAFETY: plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address is of the stated length and lives as long as the call.
    if unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: plain numbers, for which zero is a value.
    let mut membership: libc::packet_mreq = unsafe { zeroed() };
    membership.mr_ifindex = index;
    membership.mr_type = libc::PACKET_MR_PROMISC as u16;
    // An interface without that mode is captured on all the same.
    let _ = option(socket, libc::PACKET_ADD_MEMBERSHIP, &membership);
    Ok(())
}

/// Makes the socket one of a group that shares what it is bound to, and gives the group's number; without one, a new
/// group that no other program has. The kernel keeps a connection's packets together by their outer addresses and ports,
/// and puts IPv4 fragments together before.
pub(crate) fn join_fanout(socket: BorrowedFd<'_>, group: Option<u16>) -> io::Result<u16> {
    let kind = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG;
    if let Some(group) = group {
        option(socket, libc::PACKET_FANOUT, &(kind << 16 | libc::c_uint::from(group)))?;
        return Ok(group);
    }
    option(socket, libc::PACKET_FANOUT, &((kind | libc::PACKET_FANOUT_FLAG_UNIQUEID) << 16))?;
    let mut joined: libc::c_uint = 0;
    let mut length = size_of::<libc::c_uint>() as libc::socklen_t;
    let (level, name) = (libc::SOL_PACKET, libc::PACKET_FANOUT);
    // SAFETY: the value is of the stated length, and both live as long as the call.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut joined).cast(), &raw mut length)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(joined as u16) }
}

/// Sets an option of packet sockets.
fn option<T>(socket: BorrowedFd<'_>, name: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let value = (&raw const *value).cast();
    // SAFETY: the value is of the stated length and lives as long as the call.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, name, value, length) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
