//! One slice that several tasks write, each its own part.

use std::marker::PhantomData;

/// A slice whose parts are given out to tasks.
#[derive(Clone, Copy)]
pub struct SharedMut<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a mutable slice of `T: Send`; `part` makes the caller promise that no two threads hold the same element.
unsafe impl<T: Send> Send for SharedMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<'_, T> {}

impl<'a, T> SharedMut<'a, T> {
    /// Takes a slice for as long as its parts are written.
    pub fn new(slice: &'a mut [T]) -> Self {
        SharedMut { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// Elements `at..at + len`.
    ///
    /// # Safety
    /// Nobody else may hold any of these elements while the result lives.
    ///
    /// # Panics
    /// The slice is shorter.
    #[allow(clippy::mut_from_ref)] // What the promise above is for.
    pub unsafe fn part(&self, at: usize, len: usize) -> &mut [T] {
        assert!(at <= self.len && len <= self.len - at, "part {at}+{len} of {}", self.len);
        // SAFETY: within the slice, as just asserted; alone, as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }
}
