//! The guest's allocator: free lists by powers of two.
//!
//! A call allocates a handful of texts and frees them again. The standard allocator of this target
//! takes a seventh of a warm verdict's instructions for that; here it is a list's head. Memory is
//! never given back to the host, whose limit counts what an instance has grown to.
#![allow(unsafe_code, reason = "an allocator; it runs inside the sandbox and can harm only its own policy")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

/// Smallest block, in bytes, as a power of two: room for a list's link, and the strictest alignment
/// that is asked for.
const SMALLEST: u32 = 4;
/// Blocks are at most 1 GiB.
const LARGEST: u32 = 30;
/// Bytes of a page, as a power of two.
const PAGE: u32 = 16;

struct Heap(UnsafeCell<State>);

struct State {
    /// Heads of the lists of free blocks, by the logarithm of their size.
    free: [*mut u8; LARGEST as usize + 1],
    /// What has been grown and not yet handed out.
    at: usize,
    end: usize,
}

// SAFETY: the target has no threads.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(State { free: [ptr::null_mut(); LARGEST as usize + 1], at: 0, end: 0 }));

/// Logarithm of the size of the block that serves a layout.
#[inline]
fn class(layout: Layout) -> u32 {
    let size = layout.size().max(layout.align()).max(1 << SMALLEST);
    usize::BITS - (size - 1).leading_zeros()
}

// SAFETY: a block is at least as large as asked for and aligned to its size up to 16 bytes, or to its
// whole size for larger alignments; it is in a list or handed out, never both.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class(layout);
        if class > LARGEST {
            return ptr::null_mut();
        }
        // SAFETY: no threads, and nothing here calls back; a free block begins with its link.
        unsafe {
            let state = &mut *self.0.get();
            let head = state.free[class as usize];
            if head.is_null() {
                return grow(state, class, layout.align());
            }
            state.free[class as usize] = head.cast::<*mut u8>().read();
            head
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let class = class(layout) as usize;
        // SAFETY: the block was handed out by `alloc` with this layout, so it has room for a link.
        unsafe {
            let state = &mut *self.0.get();
            block.cast::<*mut u8>().write(state.free[class]);
            state.free[class] = block;
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size is valid for the alignment; old and new
        // block do not overlap.
        unsafe {
            let wanted = Layout::from_size_align_unchecked(size, layout.align());
            if class(wanted) == class(layout) {
                return block;
            }
            let new = self.alloc(wanted);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

/// A block that was never handed out; null when the host gives no more memory.
#[cold]
#[inline(never)]
unsafe fn grow(state: &mut State, class: u32, align: usize) -> *mut u8 {
    let size = 1_usize << class;
    let align = align.max(1 << SMALLEST);
    let aligned = |at: usize| (at + align - 1) & !(align - 1);
    if state.end == 0 || aligned(state.at) + size > state.end {
        let pages = (size + align + (1 << PAGE) - 1) >> PAGE;
        let from = core::arch::wasm32::memory_grow::<0>(pages);
        if from == usize::MAX {
            return ptr::null_mut();
        }
        if from << PAGE != state.end {
            state.at = from << PAGE;
        }
        state.end = (from + pages) << PAGE;
    }
    let at = aligned(state.at);
    state.at = at + size;
    ptr::with_exposed_provenance_mut(at)
}
